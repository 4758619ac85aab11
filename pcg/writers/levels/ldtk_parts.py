"""The parts of a project of the LDtk editor, with all fields that its format 1.5.3 requires."""

from __future__ import annotations

import uuid
from typing import Any

from runtime.content.levels.rules import TILE

VERSION, BUILD = "1.5.3", 473703
_NAMES = uuid.UUID("6d0f8a52-5b1c-5c0f-9d7a-2f3f0f6f1c11")


def _iid(*of: object) -> str:
    """An instance's identifier, the same for the same part of every project."""
    return str(uuid.uuid5(_NAMES, "/".join(map(str, of))))


def project(level: dict[str, Any], definitions: dict[str, Any], color: str, next_uid: int) -> dict[str, Any]:
    """A whole project of one level."""
    return {
        "__header__": {
            "fileType": "LDtk Project JSON",
            "app": "LDtk",
            "doc": "https://ldtk.io/json",
            "schema": "https://ldtk.io/files/JSON_SCHEMA.json",
            "appAuthor": "Sebastien 'deepnight' Benard",
            "appVersion": VERSION,
            "url": "https://ldtk.io",
        },
        "iid": _iid("project"),
        "jsonVersion": VERSION,
        "appBuildId": BUILD,
        "nextUid": next_uid,
        "identifierStyle": "Capitalize",
        "toc": [],
        "worldLayout": "Free",
        "worldGridWidth": 256,
        "worldGridHeight": 256,
        "defaultLevelWidth": level["pxWid"],
        "defaultLevelHeight": level["pxHei"],
        "defaultPivotX": 0,
        "defaultPivotY": 0,
        "defaultGridSize": TILE,
        "defaultEntityWidth": TILE,
        "defaultEntityHeight": TILE,
        "bgColor": color,
        "defaultLevelBgColor": color,
        "minifyJson": True,
        "externalLevels": False,
        "exportTiled": False,
        "simplifiedExport": False,
        "imageExportMode": "None",
        "exportLevelBg": True,
        "pngFilePattern": None,
        "backupOnSave": False,
        "backupLimit": 10,
        "backupRelPath": None,
        "levelNamePattern": "Level_%idx",
        "tutorialDesc": None,
        "customCommands": [],
        "flags": [],
        "defs": definitions,
        "levels": [level],
        "worlds": [],
        "dummyWorldIid": _iid("world"),
    }


def level(
    width_px: int, height_px: int, color: str, fields: list[dict[str, Any]], layers: list[dict[str, Any]]
) -> dict[str, Any]:
    """The level; `layers` from the top down."""
    return {
        "identifier": "Level_0",
        "iid": _iid("level"),
        "uid": 0,
        "worldX": 0,
        "worldY": 0,
        "worldDepth": 0,
        "pxWid": width_px,
        "pxHei": height_px,
        "__bgColor": color,
        "bgColor": None,
        "useAutoIdentifier": True,
        "bgRelPath": None,
        "bgPos": None,
        "bgPivotX": 0.5,
        "bgPivotY": 0.5,
        "__smartColor": color,
        "__bgPos": None,
        "externalRelPath": None,
        "fieldInstances": fields,
        "layerInstances": layers,
        "__neighbours": [],
    }


def layer(identifier: str, kind: str, uid: int, width: int, height: int) -> dict[str, Any]:
    """An empty layer of the level, of width x height tiles."""
    return {
        "__identifier": identifier,
        "__type": kind,
        "__cWid": width,
        "__cHei": height,
        "__gridSize": TILE,
        "__opacity": 1,
        "__pxTotalOffsetX": 0,
        "__pxTotalOffsetY": 0,
        "__tilesetDefUid": None,
        "__tilesetRelPath": None,
        "iid": _iid("layer", identifier),
        "levelId": 0,
        "layerDefUid": uid,
        "pxOffsetX": 0,
        "pxOffsetY": 0,
        "visible": True,
        "optionalRules": [],
        "intGridCsv": [],
        "autoLayerTiles": [],
        "seed": 0,
        "overrideTilesetUid": None,
        "gridTiles": [],
        "entityInstances": [],
    }


def entity(identifier: str, uid: int, column: int, row: int, tags: list[str]) -> dict[str, Any]:
    """An entity of the level, one tile large."""
    return {
        "__identifier": identifier,
        "__grid": [column, row],
        "__pivot": [0, 0],
        "__tags": tags,
        "__tile": None,
        "__smartColor": "#FFFFFF",
        "iid": _iid("entity", identifier, column, row),
        "width": TILE,
        "height": TILE,
        "defUid": uid,
        "px": [TILE * column, TILE * row],
        "fieldInstances": [],
        "__worldX": TILE * column,
        "__worldY": TILE * row,
    }


def field(identifier: str, kind: str, uid: int, value: Any) -> dict[str, Any]:
    """A field with its value: a string, None, or a list of points {"cx", "cy"}."""
    given = value if isinstance(value, list) else [] if value is None else [value]
    texts = [f"{one['cx']},{one['cy']}" if isinstance(one, dict) else one for one in given]
    return {
        "__identifier": identifier,
        "__type": f"Array<{kind}>" if isinstance(value, list) else kind,
        "__value": value,
        "__tile": None,
        "defUid": uid,
        "realEditorValues": [{"id": "V_String", "params": [text]} for text in texts],
    }


def layer_definition(identifier: str, kind: str, uid: int) -> dict[str, Any]:
    """The definition of a layer."""
    return {
        "__type": kind,
        "identifier": identifier,
        "type": kind,
        "uid": uid,
        "doc": None,
        "uiColor": None,
        "gridSize": TILE,
        "guideGridWid": 0,
        "guideGridHei": 0,
        "displayOpacity": 1,
        "inactiveOpacity": 1,
        "hideInList": False,
        "hideFieldsWhenInactive": True,
        "canSelectWhenInactive": True,
        "renderInWorldView": True,
        "pxOffsetX": 0,
        "pxOffsetY": 0,
        "parallaxFactorX": 0,
        "parallaxFactorY": 0,
        "parallaxScaling": True,
        "requiredTags": [],
        "excludedTags": [],
        "autoTilesKilledByOtherLayerUid": None,
        "uiFilterTags": [],
        "useAsyncRender": False,
        "intGridValues": [],
        "intGridValuesGroups": [],
        "autoRuleGroups": [],
        "autoSourceLayerDefUid": None,
        "tilesetDefUid": None,
        "tilePivotX": 0,
        "tilePivotY": 0,
        "biomeFieldUid": None,
    }


def rule_group(name: str, uid: int, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Rules that show tiles for values."""
    return {
        "uid": uid,
        "name": name,
        "color": None,
        "icon": None,
        "active": True,
        "isOptional": False,
        "rules": rules,
        "usesWizard": False,
        "requiredBiomeValues": [],
        "biomeRequirementMode": 0,
    }


def rule(uid: int, value: int, tile: int) -> dict[str, Any]:
    """Show one tile wherever the IntGrid has one value."""
    return {
        "uid": uid,
        "active": True,
        "size": 1,
        "tileRectsIds": [[tile]],
        "alpha": 1,
        "chance": 1,
        "breakOnMatch": True,
        "pattern": [value],
        "flipX": False,
        "flipY": False,
        "xModulo": 1,
        "yModulo": 1,
        "xOffset": 0,
        "yOffset": 0,
        "tileXOffset": 0,
        "tileYOffset": 0,
        "tileRandomXMin": 0,
        "tileRandomXMax": 0,
        "tileRandomYMin": 0,
        "tileRandomYMax": 0,
        "checker": "None",
        "tileMode": "Single",
        "pivotX": 0,
        "pivotY": 0,
        "outOfBoundsValue": None,
        "invalidated": False,
        "perlinActive": False,
        "perlinSeed": 0,
        "perlinScale": 0.2,
        "perlinOctaves": 2,
    }


def entity_definition(identifier: str, uid: int, color: str, tag: str) -> dict[str, Any]:
    """The definition of an entity, by default a hollow rectangle of one tile."""
    return {
        "identifier": identifier,
        "uid": uid,
        "tags": [tag],
        "exportToToc": False,
        "allowOutOfBounds": False,
        "doc": None,
        "width": TILE,
        "height": TILE,
        "resizableX": False,
        "resizableY": False,
        "minWidth": None,
        "maxWidth": None,
        "minHeight": None,
        "maxHeight": None,
        "keepAspectRatio": False,
        "tileOpacity": 1,
        "fillOpacity": 0.08,
        "lineOpacity": 1,
        "hollow": True,
        "color": color,
        "renderMode": "Rectangle",
        "showName": False,
        "tilesetId": None,
        "tileRenderMode": "FitInside",
        "tileRect": None,
        "uiTileRect": None,
        "nineSliceBorders": [],
        "maxCount": 0,
        "limitScope": "PerLevel",
        "limitBehavior": "MoveLastOne",
        "pivotX": 0,
        "pivotY": 0,
        "fieldDefs": [],
    }


def field_definition(identifier: str, kind: str, uid: int, shown: str, array: bool = False) -> dict[str, Any]:
    """The definition of a field; `shown`: how the editor displays it."""
    return {
        "identifier": identifier,
        "doc": None,
        "__type": f"Array<{kind}>" if array else kind,
        "uid": uid,
        "type": f"F_{kind}",
        "isArray": array,
        "canBeNull": not array,
        "arrayMinLength": None,
        "arrayMaxLength": None,
        "editorDisplayMode": shown,
        "editorDisplayScale": 1,
        "editorDisplayPos": "Above",
        "editorLinkStyle": "StraightArrow",
        "editorDisplayColor": None,
        "editorAlwaysShow": False,
        "editorShowInWorld": False,
        "editorCutLongValues": True,
        "editorTextSuffix": None,
        "editorTextPrefix": None,
        "useForSmartColor": False,
        "exportToToc": False,
        "searchable": False,
        "min": None,
        "max": None,
        "regex": None,
        "acceptFileTypes": None,
        "defaultOverride": None,
        "textLanguageMode": None,
        "symmetricalRef": False,
        "autoChainRef": True,
        "allowOutOfLevelRef": True,
        "allowedRefs": "OnlySame",
        "allowedRefsEntityUid": None,
        "allowedRefTags": [],
        "tilesetUid": None,
    }


def tileset(identifier: str, uid: int, path: str, columns: int, rows: int) -> dict[str, Any]:
    """A picture of columns x rows tiles at a path relative to the project."""
    return {
        "__cWid": columns,
        "__cHei": rows,
        "identifier": identifier,
        "uid": uid,
        "relPath": path,
        "embedAtlas": None,
        "pxWid": columns * TILE,
        "pxHei": rows * TILE,
        "tileGridSize": TILE,
        "spacing": 0,
        "padding": 0,
        "tags": [],
        "tagsSourceEnumUid": None,
        "enumTags": [],
        "customData": [],
        "savedSelections": [],
        "cachedPixelData": None,
    }
