"""The columns of a result: which of them are the campaign that is asked for."""

from typing import Any

import msgspec

from tests.unit.kernel.statements.rule.relations import Column, Place, Scene
from tests.unit.kernel.statements.rule.syntax import body_of, column, function_name, kind_of


def columns_of(scene: Scene, target: Any) -> list[tuple[Column, Place | None]]:
    """The columns that one item of a target list stands for, each with its place if it is one of a source."""
    value = body_of(target.val)
    if (named := column(value)) is not None and named[1] == "*":
        names = list(scene.sources) if not named[0] else [named[0]] if named[0] in scene.sources else []
        return [
            (_of_source(scene, (name, each.name), each), (name, each.name))
            for name in names
            for each in scene.sources[name].columns
        ] or [(Column(many=True), None)]
    if kind_of(value) == "a_indirection" and kind_of(value.indirection[-1]) == "a_star":
        return [(Column(many=True), None)]
    name = target.name or (named[1] if named else function_name(value) if kind_of(value) == "func_call" else None)
    place = scene.own_place(value) if named else None
    if place is not None:
        for each in scene.sources[place[0]].columns:
            if each.name == place[1]:
                return [(msgspec.structs.replace(_of_source(scene, place, each), name=name), place)]
    return [(Column(name, bound=scene.is_campaign(value)), None)]


def _of_source(scene: Scene, place: Place, each: Column) -> Column:
    bound = place in scene.known
    return msgspec.structs.replace(each, bound=bound, open=None if bound else each.open)
