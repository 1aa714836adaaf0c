"""gunicorn -c gunicorn.conf.py wsgi:app

Every setting stands, with its reason, in ``chatapp/gunicorn_conf.py``, where the installed package finds it too.
"""

from chatapp.gunicorn_conf import *  # noqa: F403 - gunicorn reads the names of this module
