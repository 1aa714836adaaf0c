"""What gunicorn serves: everything is patched before anything is imported."""

from gevent import monkey

monkey.patch_all()

from chatapp import create_app  # noqa: E402 - patch first

app = create_app()
