"""Our marshmallow schemas as JSON Schema 2020-12, the dialect that OpenAPI 3.1 and AsyncAPI 3 share.

The conversion is apispec's; here it learns what our own fields promise and cannot say in marshmallow's words.
"""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from chatapp.protocol.fields import CONTENT_MAX_BYTES, Content, Email, Id, Name, Text, WireSchema

JsonSchema = dict[str, Any]

WITHOUT_NUL = r"^[^\u0000]*$"
NOT_BLANK = r"^[^\u0000]*[^\u0000\s][^\u0000]*$"


class JsonSchemas:
    """Grows ``components`` by each schema it is asked for, and by what that one nests, each once."""

    def __init__(self) -> None:
        plugin = MarshmallowPlugin()
        # A specification of our own per instance: nothing of it is shown but its components.
        self._spec = APISpec("", "", "3.1.0", plugins=[plugin])
        teach(plugin)
        self._plugin = plugin

    def reference(self, schema: WireSchema) -> JsonSchema:
        """``{"$ref": "#/components/schemas/…"}``: the class's name without its ending ``Schema``."""
        assert self._plugin.converter is not None  # the plugin got it with the specification
        reference: JsonSchema = self._plugin.converter.resolve_nested_schema(schema)
        return reference

    @property
    def components(self) -> dict[str, JsonSchema]:
        return dict(self._spec.components.schemas)


def teach(plugin: MarshmallowPlugin) -> None:
    """Make the plugin of a specification know our fields. After the specification was made with it."""
    assert plugin.converter is not None, "make the APISpec first"
    for rule in (our_text2properties, our_enum2type):
        plugin.converter.add_attribute_function(rule)


def our_text2properties(_converter: Any, field: fields.Field[Any], **_: Any) -> JsonSchema:
    """What ``Text`` and its kinds refuse. A pattern says it wherever one can."""
    if not isinstance(field, Text):
        return {}
    if isinstance(field, Content):
        # JSON Schema counts characters. So many is a bound that holds, though not the narrowest.
        said = {"maxLength": CONTENT_MAX_BYTES, "description": f"At most {CONTENT_MAX_BYTES} bytes in UTF-8"}
        return {"pattern": WITHOUT_NUL, **said}
    if isinstance(field, Email):
        return {"format": "email"}
    return {"pattern": NOT_BLANK if isinstance(field, Id | Name) else WITHOUT_NUL}


def our_enum2type(_converter: Any, field: fields.Field[Any], **_: Any) -> JsonSchema:
    """An enumeration by value has no type for apispec; ours are all text."""
    if not isinstance(field, fields.Enum):
        return {}
    return {"type": ["string", "null"] if field.allow_none else "string"}
