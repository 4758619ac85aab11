"""Small data that the tests make."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_dem import write_folder
from made_levels import (
    DUNGEON_LEGEND,
    PLATFORMER_LEGEND,
    RUNNER_LEGEND,
    SOKOBAN_LEGEND,
    floors,
    hills,
    room,
    write_corpus,
)
from made_tiles import made_tile

from pcg.characters.data.layers import FILES
from pcg.characters.data.monsters import KINDS
from pcg.characters.data.rules import FURS, HIDES, SKINS


@pytest.fixture(scope="session")
def dem_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up elevation data to train on."""
    folder = tmp_path_factory.mktemp("dem")
    write_folder(folder)
    return folder


TABLES = {
    "body": {
        "light": "271920 99423c cc8665 e4a47c f9d5ba faece7",
        "olive": "271921 442725 7f4c31 ae6b3f d38b59 e4a47d",
    },
    "hair": {
        "orange": "260d14 6a1108 a42600 bf4000 e55600 ff8a00",
        "blue": "0a0a14 10206a 1020a4 2040bf 2060e5 20a0ff",
    },
    "cloth": {"white": "303038 606068 9090a0 b0b0c0 d0d0e0 ffffff", "red": "200408 500810 801018 b01820 d02830 ff4850"},
    "metal": {
        "steel": "181820 404850 687078 90a0a8 c0d0d8 f8ffff",
        "gold": "201004 604008 906810 c09820 e8c840 fff8a0",
    },
    "eye": {"blue": "2a3c49 5686ae 57cee4", "green": "2b4b29 53b351 84ec50"},
}


# Every skin that is drawn: the light one, a little darker each.
for number, name in enumerate((*SKINS[1:], *FURS, *HIDES), 1):
    shifted = (max(0, byte - 5 * number) for byte in bytes.fromhex(TABLES["body"]["light"]))
    TABLES["body"][name] = bytes(shifted).hex(" ", 3)


def colour_table(material: str, name: str) -> list[str]:
    return [f"#{colour}" for colour in TABLES[material][name].split()]


class LayerFile:
    """One of the layers' files in the making: sheets of nested rectangles, one for every colour of a palette."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sheets: list[np.ndarray] = []
        self.palettes: list[np.ndarray] = []
        self.entries: list[dict[str, object]] = []

    def add(
        self,
        item: str,
        kind: str,
        box: tuple[int, int, int, int],
        variants: dict[str, list[str]],
        *,
        z: int,
        bodies: tuple[str, ...] = ("male", "female"),
        recolors: object = None,
        tags: tuple[str, ...] = (),
    ) -> None:
        """`box`: top, bottom, left, right of what it draws in every frame; `variants`: a palette of #rrggbb each."""
        top, bottom, left, right = box
        frame = np.zeros((64, 64), np.uint8)
        for k in range(len(next(iter(variants.values())))):
            frame[top + k : bottom - k, left + k : right - k] = k + 1
        entry = {"item": item, "label": item, "type": kind, "layer": 1, "z": z, "body": bodies, "tags": tags}
        entry |= {"sheet": len(self.sheets), "pal": len(self.palettes), "variants": list(variants)}
        self.entries.append(entry | {"recolors": recolors, "match_body": False, "required_tags": [], "path": item})
        self.sheets.append(np.tile(frame, (4, 9)))
        for colours in variants.values():
            palette = np.zeros((256, 4), np.uint8)
            for k, colour in enumerate(colours):
                palette[k + 1] = [*bytes.fromhex(colour[1:]), 255]
            self.palettes.append(palette)

    def write(self) -> None:
        np.savez_compressed(
            self.path,
            idx=np.array(self.sheets, np.uint8),
            pal=np.array(self.palettes, np.uint8),
            entries=np.array(json.dumps(self.entries)),
        )


@pytest.fixture(scope="session")
def characters_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Character data of a few boxes: people and a rat, hair, shirts, boots in variants, a hat with a trim, a mace."""
    folder = tmp_path_factory.mktemp("characters")
    (folder / "lpc").mkdir()
    files = {name: LayerFile(folder / "lpc" / f"{name}.npz") for name in FILES}
    skin, hair, cloth = (
        {"base": colour_table(m, n)} for m, n in (("body", "light"), ("hair", "orange"), ("cloth", "white"))
    )
    of = {material: {"material": material, "palettes": ["ulpc"]} for material in TABLES}
    everyone = ("male", "female", "teen", "child")
    files["body"].add("body", "body", (30, 62, 20, 44), skin, z=10, bodies=everyone, recolors=of["body"])
    eyes = {"color_1": of["body"], "color_2": of["eye"]}
    face = {"base": colour_table("body", "light") + colour_table("eye", "blue") + ["#f2f7f8"]}
    for sex in ("male", "female", "child"):
        body = everyone[:3] if sex != "child" else ("child",)
        human = ("human", "adult")
        files["head"].add(
            f"heads_human_{sex}", "head", (8, 32, 18, 46), face, z=100, bodies=body, recolors=eyes, tags=human
        )
    rat = {"base": [*colour_table("body", "light"), "#d6b39d"]}
    files["head"].add("heads_rat", "head", (6, 32, 16, 46), rat, z=100, bodies=everyone, recolors=of["body"])
    for k in range(11):  # as many that one may be held out; 2 and 3 look nearly the same
        box = (4, 16 + 2 * k, 18, 46) if k != 3 else (4, 20, 18, 46)
        files["hair"].add(f"hair_wavy{k}", "hair", box, hair, z=120, bodies=everyone, recolors=of["hair"])
    for k in range(10):
        name = f"torso_clothes_tshirt{k}"
        files["torso"].add(
            name, "clothes", (30, 40 + 2 * k, 18, 46), cloth, z=35, bodies=everyone, recolors=of["cloth"]
        )
    armour = {"base": colour_table("cloth", "white") + colour_table("metal", "steel")}
    both = {"color_1": of["cloth"], "color_2": of["metal"]}
    files["torso"].add("torso_armour_leather", "armour", (30, 56, 18, 46), armour, z=60, recolors=both)
    files["legs"].add("legs_pants", "legs", (46, 60, 20, 44), cloth, z=20, recolors=of["cloth"])
    boots = {n: [*colour_table("cloth", n)[:3], own] for n, own in (("white", "#a0a0b0"), ("red", "#a81820"))}
    gold = {n: [*colour_table("cloth", n), "#e0c020"] for n in ("white", "red")}
    files["feet"].add("feet_boots_basic", "shoes", (54, 63, 20, 44), boots, z=25, bodies=everyone)
    files["hat"].add("hat_tricorne", "hat", (2, 20, 14, 50), gold, z=130)
    many = {"base": [f"#{8 * k:02x}{4 * k:02x}{255 - 8 * k:02x}" for k in range(24)]}
    files["weapon"].add("weapon_blunt_mace", "weapon", (2, 62, 2, 62), many, z=-1)
    for file in files.values():
        file.write()
    credits = (
        "slot,item,file,authors,licences,permissive option,urls\nhair,hair_wavy1,a,Ann; Bob,OGA-BY 3.0,OGA-BY 3.0,x y\n"
    )
    (folder / "lpc" / "CREDITS.csv").write_text(credits + "hair,hair_wavy2,b,Ann; Bob,OGA-BY 3.0,OGA-BY 3.0,y z\n")
    tables = {f"{m}.ulpc": {n: colour_table(m, n) for n in named} for m, named in TABLES.items()}
    (folder / "lpc" / "palettes.json").write_text(json.dumps(tables))
    return folder


@pytest.fixture(scope="session")
def level_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sokoban rooms, dungeons of two corpora, windows of a platformer, and floors to run on."""
    folder = tmp_path_factory.mktemp("levels")
    rng = np.random.default_rng(0)
    sokoban = [{"name": f"room_{k}", "group": f"room_{k}", "rows": room(rng, 8, 7, "$$..@", " ")} for k in range(60)]
    write_corpus(folder / "boxoban", SOKOBAN_LEGEND, sokoban)
    for name in ("dcss-vaults", "nethack-levels"):
        levels: list[dict[str, object]] = [
            {"name": f"vault_{k}", "rows": room(rng, 9 + k % 4, 8 + k % 3, "MML" + "i" * (k % 3) + "<>", ".")}
            for k in range(30)
        ]
        write_corpus(folder / name, DUNGEON_LEGEND, levels)
    windows = [{"name": f"hills_{k}", "license": "CC-BY-SA 4.0", "rows": hills(rng, 26 + k)} for k in range(20)]
    write_corpus(folder / "supertux", PLATFORMER_LEGEND, windows)
    runs = [{"name": f"floors {k}", "group": f"floors {k}", "rows": floors(rng)} for k in range(20)]
    write_corpus(folder / "kgoldrunner", RUNNER_LEGEND, runs)
    return folder


@pytest.fixture(scope="session")
def level_models(level_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a model of each game, of a few steps."""
    import dataclasses

    import torch

    from pcg.levels.model.export import export_level
    from pcg.levels.model.train import PRESETS, train

    models, threads = tmp_path_factory.mktemp("models"), torch.get_num_threads()
    torch.set_num_threads(1)  # steps so small only wait for one another
    for name in ("level-sokoban", "level-dungeon", "level-platformer", "level-runner"):
        run = tmp_path_factory.mktemp(name)
        train(dataclasses.replace(PRESETS[name]["smoke"], steps=60, sample_every=60), level_folder, run, "cpu")
        export_level(run, models / f"{name}.ts")
    torch.set_num_threads(threads)
    return models


@pytest.fixture(scope="session")
def monsters_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tiles of every kind, four to a group, and what is no monster."""
    folder = tmp_path_factory.mktemp("characters")
    (folder / "dcss").mkdir()
    categories = [names[0] for names in KINDS.values() for _ in range(12)] + ["plant", "animal"]
    names = [f"{c}{k}" for k, c in enumerate(categories[:-1])] + ["dragon_egg2"]
    np.savez(
        folder / "dcss" / "monsters32.npz",
        rgba=np.stack([made_tile(k, 3 + k % 9) for k in range(len(names))]),
        name=np.array(names),
        category=np.array(categories),
        group=np.array([f"group{k // 4}" for k in range(len(names))]),
    )
    return folder


@pytest.fixture(scope="session")
def character_models(characters_folder: Path, monsters_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with all three models of characters, trained for a step."""
    import dataclasses

    from pcg.characters.export import export_character
    from pcg.characters.train import PRESETS, train

    runs, folder = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("models")
    for model in ("character-front", "character-walk", "monster"):
        config = dataclasses.replace(PRESETS[model]["smoke"], steps=1, adversarial_from=9)
        train(config, monsters_folder if model == "monster" else characters_folder, runs / model, "cpu")
        export_character(runs / model, folder / f"{model}.ts")
    return folder
