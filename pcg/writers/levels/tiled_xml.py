"""Converting a map of the Tiled editor from TMJ's structure to TMX and back. Only what levels use is read."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from pcg.writers.levels.values import whole


def to_xml(made: dict[str, Any]) -> bytes:
    """A TMX file from a map in TMJ's structure."""
    root = _xml_map(made)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, "UTF-8", xml_declaration=True) + b"\n"


def from_xml(data: bytes) -> dict[str, Any]:
    """The map of a TMX file in TMJ's structure. Raises ValueError if it is not a map."""
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two: an unknown encoding
        raise ValueError(f"this is not XML: {error}") from error
    if root.tag != "map":
        raise ValueError(f"this is not a map of Tiled: its root is {root.tag!r:.40}")
    return {
        "width": whole(root.get("width", "0"), "the map's width"),
        "height": whole(root.get("height", "0"), "the map's height"),
        "infinite": root.get("infinite") == "1",
        "properties": _read_properties(root),
        "tilesets": [_read_tileset(one) for one in root.iter("tileset")],
        "layers": [_read_layer(one) for one in root.iter() if one.tag in ("layer", "objectgroup")],
    }


def _read_properties(element: ElementTree.Element) -> list[dict[str, Any]]:
    return [
        {"name": one.get("name"), "value": one.get("value", one.text or "")} for one in element.findall("properties/*")
    ]


def _read_tileset(element: ElementTree.Element) -> dict[str, Any]:
    source = element.get("source")
    tiles = [
        {"id": whole(one.get("id", "0"), "a tile's id"), "properties": _read_properties(one)}
        for one in element.findall("tile")
    ]
    made: dict[str, Any] = {"firstgid": whole(element.get("firstgid", "1"), "a tileset's firstgid"), "tiles": tiles}
    return made | ({"source": source} if source else {})


def _read_layer(element: ElementTree.Element) -> dict[str, Any]:
    made: dict[str, Any] = {"name": element.get("name"), "objects": []}
    data = element.find("data")
    if data is not None:
        text, where = data.text or "", f"layer {made['name']!r:.40}"
        csv = data.get("encoding") == "csv"
        made["data"] = [whole(one, f"{where}: a tile") for one in text.split(",")] if csv else text
    for one in element.findall("object"):
        at = {axis: one.get(axis, "0") for axis in ("x", "y")}
        gid = one.get("gid")
        made["objects"].append({"id": one.get("id"), **at} | ({"gid": gid} if gid else {}))
    return made


def _xml_map(made: dict[str, Any]) -> ElementTree.Element:
    root = _xml("map", made, without=("type", "properties", "tilesets", "layers", "compressionlevel"))
    _xml_properties(root, made["properties"])
    for tileset in made["tilesets"]:
        element = _xml("tileset", tileset, without=("image", "imagewidth", "imageheight", "tiles", "margin", "spacing"))
        root.append(element)
        size = {"width": str(tileset["imagewidth"]), "height": str(tileset["imageheight"])}
        ElementTree.SubElement(element, "image", {"source": tileset["image"]} | size)
        for tile in tileset["tiles"]:
            child = _xml("tile", tile, without=("properties",))
            element.append(child)
            _xml_properties(child, tile["properties"])
    for layer in made["layers"]:
        if layer["type"] == "tilelayer":
            element = ElementTree.SubElement(root, "layer", _attributes(layer, ("id", "name", "width", "height")))
            data = ElementTree.SubElement(element, "data", {"encoding": "csv"})
            width = layer["width"]
            lines = [layer["data"][i : i + width] for i in range(0, len(layer["data"]), width)]
            data.text = "\n" + ",\n".join(",".join(map(str, line)) for line in lines) + "\n"
        else:
            element = ElementTree.SubElement(root, "objectgroup", _attributes(layer, ("id", "name")))
            for member in layer["objects"]:
                element.append(_xml_object(member))
    return root


def _xml_object(member: dict[str, Any]) -> ElementTree.Element:
    element = _xml("object", member, without=("properties", "polyline", "rotation", "visible"))
    _xml_properties(element, member.get("properties", []))
    if "polyline" in member:
        points = " ".join(f"{point['x']},{point['y']}" for point in member["polyline"])
        ElementTree.SubElement(element, "polyline", {"points": points})
    return element


def _xml_properties(element: ElementTree.Element, properties: list[dict[str, Any]]) -> None:
    if properties:
        parent = ElementTree.SubElement(element, "properties")
        for one in properties:
            value = str(one["value"]).lower() if one["type"] == "bool" else one["value"]
            kind = {} if one["type"] == "string" else {"type": one["type"]}
            ElementTree.SubElement(parent, "property", {"name": one["name"], **kind, "value": value})


def _xml(tag: str, made: dict[str, Any], without: tuple[str, ...]) -> ElementTree.Element:
    return ElementTree.Element(tag, _attributes(made, tuple(name for name in made if name not in without)))


def _attributes(made: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: str(int(made[name]) if isinstance(made[name], bool) else made[name]) for name in names}
