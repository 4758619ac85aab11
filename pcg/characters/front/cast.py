"""Casting: a seed and wishes to rows of the catalogue, blends and colours, in integers inside the model file.

It follows the rules of the wardrobe (rules.py), but each choice is a hash of (seed, attribute, stream), so a program
with LibTorch gets the same characters from the same file. A cast is a row of int64: for each attribute the row of its
item, the row of its blend partner, the partner's share in 128ths and the colourway; then the ramps of skin, hair and
eyes, and a key for the noise.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from pcg.characters.data import rules
from pcg.characters.data.attributes import BODIES, NONE
from pcg.characters.data.catalogue import Catalogue
from pcg.characters.data.slots import SLOTS
from pcg.exact import key, mix, shift_right

SHARED = ("skin", "hair", "eyes")  # slots that have one colour in the whole character
ONE = 1 << 16  # a share of 1
BLENDED = ONE // 2  # share of the attributes that are blended; the same in training
COLOURWAY_SLOTS = 3  # an item has at most so many slots


def read_catalogue(described: dict[str, Any]) -> Catalogue:
    """The catalogue that a run's data.json describes."""
    rows = tuple((str(a), str(v), str(i)) for a, v, i in described["rows"])
    return Catalogue(rows, np.array(described["fits"], bool))


def colour_names(described: dict[str, Any]) -> list[str]:
    """All names of colours, sorted; a wish for a colour is an index into this list."""
    shared = {name for colours in described["shared"].values() for name in colours}
    own = {colourway["name"] for colourways in described["looks"] for colourway in colourways}
    return sorted(shared | own - {NONE})


class Cast(nn.Module):
    """Casts characters. A wish is the index of a value or of a colour's name; -1 for no wish."""

    attributes: Final[int]
    blended: Final[int]
    species: Final[int]
    order: list[int]
    first: list[int]  # index of the first value of each attribute; then the number of all values
    shares: list[int]
    given_attribute: list[int]
    given_value: list[int]
    given_share: list[int]
    never: Tensor  # (values, values)
    bars: Tensor  # (attributes, values): values that exclude everything of the attribute
    worn: Tensor
    weights: Tensor
    bodies: Tensor
    value_of: Tensor  # (rows,)
    fitting: Tensor  # (values, bodies, most): rows
    fitting_counts: Tensor
    colourways: Tensor  # (colourways, 7): name, slots, ramps
    colourway_starts: Tensor
    comes: Tensor  # (rows, names): whether an item has a colourway of that name
    value_comes: Tensor  # (values, bodies, names): whether an item that fits has one
    shared_choices: Tensor  # (3, rows, most): ramps to choose from, for each row of a species
    shared_counts: Tensor
    shared_named: Tensor  # (3, most, 2): name and ramp of all colours that can be wished for

    def __init__(self, described: dict[str, Any]) -> None:
        """`described`: what a run's data.json says of the catalogue and its colours."""
        super().__init__()
        known = read_catalogue(described)
        numbers = {value: k for k, value in enumerate(known.values)}
        places = {attribute: k for k, attribute in enumerate(known.attributes)}
        self.attributes, self.species, self.blended = len(places), places["species"], BLENDED
        self.order = [places[a] for a in rules.ORDER if a in places]
        self.first = [[a for a, _ in known.values].index(attribute) for attribute in known.attributes]
        self.first.append(len(known.values))
        self.shares = [round(ONE * rules.SHARES.get(a, 1.0)) for a in known.attributes]
        given = [
            (places[a], numbers[other, value], round(ONE * share))
            for a, other, values, share in rules.GIVEN
            for value in values
            if a in places and (other, value) in numbers
        ]
        self.given_attribute = [a for a, _, _ in given]
        self.given_value = [value for _, value, _ in given]
        self.given_share = [share for _, _, share in given]

        def keep(name: str, values: Any) -> None:
            self.register_buffer(name, torch.tensor(values, dtype=torch.int64))

        keep("never", known.never)
        worn = np.array([value != NONE for _, value in known.values])
        spans = [slice(*ends) for ends in pairwise(self.first)]
        keep("bars", [known.never[v][worn[v]].all(0).tolist() for v in spans])
        keep("worn", [value != NONE for _, value in known.values])
        keep("weights", [_weight(attribute, value) for attribute, value in known.values])
        keep("bodies", [BODIES.index(value) if a == "body" else 0 for a, value in known.values])
        keep("value_of", known.value_of)  # (rows,)
        keep("fitting_counts", [[len(fitting) for fitting in by_body] for by_body in known.fitting])
        deep = int(self.fitting_counts.max())
        keep("fitting", [[_padded(fitting.tolist(), deep, 0) for fitting in by_body] for by_body in known.fitting])

        names = colour_names(described)
        named = {name: k for k, name in enumerate(names)} | {NONE: -1}
        coloured = [{colourway["name"] for colourway in own} for own in described["looks"]]
        comes = np.array([[name in own for name in names] for own in coloured])
        self.register_buffer("comes", torch.from_numpy(comes))
        by_value = [[comes[fitting].any(0) for fitting in by_body] for by_body in known.fitting]
        self.register_buffer("value_comes", torch.from_numpy(np.array(by_value)))
        colourways, starts = [], [0]
        for own in described["looks"]:
            for colourway in own:
                slots = [SLOTS.index(slot) for slot in colourway["ramps"]]
                ramps = list(colourway["ramps"].values())
                parts = [*_padded(slots, COLOURWAY_SLOTS, 0), *_padded(ramps, COLOURWAY_SLOTS, 0)]
                colourways.append([named[colourway["name"]], *parts])
            starts.append(len(colourways))
        keep("colourways", colourways)
        keep("colourway_starts", starts)
        choices, counts, every = [], [], []
        deep = max(len(names) for slot in ("skins", "hairs") for names in described[slot].values())
        deep = max(deep, *(len(colours) for colours in described["shared"].values()))
        for slot, by_row in zip(SHARED, (described["skins"], described["hairs"], {}), strict=True):
            ramps = described["shared"][slot]
            own = [[ramps[name] for name in by_row.get(str(row), ramps)] for row in range(len(known.rows))]
            choices.append([_padded(colours, deep, 0) for colours in own])
            counts.append([len(colours) for colours in own])
            every.append(_padded([[named[name], ramp] for name, ramp in ramps.items()], deep, [-1, 0]))
        keep("shared_choices", choices)
        keep("shared_counts", counts)
        keep("shared_named", every)

    def random(self, seed: Tensor, attribute: int, stream: int) -> Tensor:
        """32 random bits (N,) of a seed, attribute and stream."""
        return shift_right(mix(key(seed, 500 + attribute) + stream), 32)

    def forward(self, seed: Tensor, wishes: Tensor) -> Tensor:
        """seed (N,), wishes (N, 2 attributes + 3) to casts (N, 4 attributes + 4).

        Wishes: values, names of colourways, names of the colours of skin, hair and eyes.

        A wish for a colourway is also a wish for an item that comes in it, where there is one.
        """
        values = self.choose(seed, wishes)
        body = self.bodies[values[:, self.order[0]]]
        columns: list[Tensor] = []
        species = body
        for a in range(self.attributes):
            value = values[:, a]
            count = self.fitting_counts[value, body]
            row = self.row(seed, a, value, body, wishes[:, self.attributes + a])
            partner = self.fitting[value, body, (self.random(seed, a, 3) * count) >> 32]
            share = shift_right(self.random(seed, a, 4), 25)
            blended = shift_right(self.random(seed, a, 5), 16) < self.blended
            columns += [row, partner, share * blended, self.colourway(seed, a, row, wishes[:, self.attributes + a])]
            if a == self.species:
                species = row
        for k in range(3):
            name = wishes[:, 2 * self.attributes + k : 2 * self.attributes + k + 1]
            count = self.shared_counts[k, species]
            ramp = self.shared_choices[k, species, (self.random(seed, -1, k) * count) >> 32]
            wished = (self.shared_named[k, :, 0] == name) & (name >= 0)
            ramp_wished = (self.shared_named[k, :, 1] * wished).amax(1)
            columns.append(torch.where(wished.any(1), ramp_wished, ramp))
        columns.append(key(seed, 400))
        return torch.stack(columns, 1)

    def choose(self, seed: Tensor, wishes: Tensor) -> Tensor:
        """Choose the value of each attribute, (N, attributes)."""
        n = seed.shape[0]
        body = torch.zeros_like(seed)
        ruled_out = torch.zeros([n, self.never.shape[0]], dtype=torch.int64, device=seed.device)
        chosen = torch.zeros_like(ruled_out)
        values = torch.zeros([n, self.attributes], dtype=torch.int64, device=seed.device)
        for a in range(self.attributes):
            wish = wishes[:, a]
            ruled_out += self.never[wish.clamp_min(0)] * (wish >= 0).unsqueeze(1)
            ruled_out += self.bars[a] * (wishes[:, self.attributes + a] >= 0).unsqueeze(1)
        for a in self.order:
            first, last = self.first[a], self.first[a + 1]
            colour = wishes[:, self.attributes + a]
            weights = self.weights[first:last] * self.worn[first:last] * (ruled_out[:, first:last] == 0)
            if bool((colour >= 0).any()):
                fits = self.value_comes[first:last][:, body, colour.clamp_min(0)].t()
                weights = weights * (fits | (colour < 0).unsqueeze(1))
            place = (self.random(seed, a, 0) * weights.sum(1)) >> 32
            value = first + (weights.cumsum(1) <= place.unsqueeze(1)).sum(1)
            share = torch.full([n], self.shares[a], dtype=torch.int64, device=seed.device)
            for k in range(len(self.given_attribute)):
                if self.given_attribute[k] == a:
                    share = torch.where(chosen[:, self.given_value[k]] > 0, self.given_share[k], share)
            worn = (shift_right(self.random(seed, a, 1), 16) < share) | (colour >= 0)
            worn = worn & (weights.sum(1) > 0)
            value = torch.where(worn, value, first)
            value = torch.where(wishes[:, a] >= 0, wishes[:, a], value)
            ruled_out += self.never[value]
            chosen.scatter_(1, value.unsqueeze(1), 1)
            values[:, a] = value
            if a == self.order[0]:
                body = self.bodies[value]
        return values

    def row(self, seed: Tensor, attribute: int, value: Tensor, body: Tensor, name: Tensor) -> Tensor:
        """Choose a row of each value (N,) that fits the body; one that has a colourway of that name, if any has."""
        rows = self.fitting[value, body]
        if not bool((name >= 0).any()):
            place = (self.random(seed, attribute, 2) * self.fitting_counts[value, body]) >> 32
            return rows.gather(1, place.unsqueeze(1)).squeeze(1)
        fits = torch.arange(rows.shape[1], device=rows.device) < self.fitting_counts[value, body].unsqueeze(1)
        wished = fits & self.comes[rows, name.clamp_min(0).unsqueeze(1)] & (name >= 0).unsqueeze(1)
        choice = torch.where(wished.any(1, keepdim=True), wished, fits).to(torch.int64)
        place = (self.random(seed, attribute, 2) * choice.sum(1)) >> 32
        found = (choice.cumsum(1) <= place.unsqueeze(1)).sum(1)
        return rows.gather(1, found.unsqueeze(1)).squeeze(1)

    def shared_names(self, casts: Tensor) -> Tensor:
        """The names of the colours of skin, hair and eyes, (N, 3)."""
        ramps = casts[:, 4 * self.attributes : 4 * self.attributes + 3]
        found = self.shared_named[:, :, 1].unsqueeze(0) == ramps.unsqueeze(2)
        return torch.where(
            found, self.shared_named[:, :, 0].unsqueeze(0), torch.full_like(found, -1, dtype=torch.int64)
        ).amax(2)

    def numbers(self, casts: Tensor) -> Tensor:
        """The part of casts for the attributes, (N, attributes, 4): row, partner, share, colourway."""
        return casts[:, : 4 * self.attributes].reshape(casts.shape[0], -1, 4)

    def colourway(self, seed: Tensor, attribute: int, row: Tensor, name: Tensor) -> Tensor:
        """Choose a colourway of each row (N,): the one of the wished name, if the row has it."""
        start, end = self.colourway_starts[row], self.colourway_starts[row + 1]
        colourway = start + ((self.random(seed, attribute, 6) * (end - start)) >> 32)
        numbers = torch.arange(self.colourways.shape[0], device=row.device)
        own = (numbers >= start.unsqueeze(1)) & (numbers < end.unsqueeze(1))
        wished = own & (self.colourways[:, 0] == name.unsqueeze(1)) & (name >= 0).unsqueeze(1)
        return torch.where(wished.any(1), (numbers * wished).amax(1), colourway)


def _weight(attribute: str, value: str) -> int:
    """The weight of a value among those of its attribute."""
    if attribute == "body":
        return round(ONE * rules.BODY_SHARES[value])
    if attribute == "species":
        rest = (1 - sum(rules.SPECIES_SHARES.values())) / len(rules.OTHERS)
        return round(ONE * rules.SPECIES_SHARES.get(value, rest))
    return 1


def _padded(values: list[Any], length: int, filling: Any) -> list[Any]:
    return values + [filling] * (length - len(values))
