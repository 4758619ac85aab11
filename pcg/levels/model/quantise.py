"""Quantises a trained network: each weight becomes an integer times a power of two."""

from __future__ import annotations

import torch
from torch import Tensor

from pcg.exact import check_sums, quantise_weight
from pcg.levels.model.exact_lstm import INDEX_MAX, INDEX_STEPS, LOGIT_STEPS, STATE_STEPS, TABLE_STEPS, ExactLSTM
from pcg.levels.model.networks import SEEN_STEPS, LevelNetwork


def quantise(network: LevelNetwork) -> ExactLSTM:
    """The network in integers, of the same outputs up to rounding.

    Raises:
        ValueError: a sum could exceed what float32 holds exactly.
    """
    with torch.no_grad():
        lstm, head, memory = network.lstm, network.head, network.lstm.hidden_size
        table = network.table.weight.double() * SEEN_STEPS
        input_step = torch.cat([torch.full((table.shape[1],), 1 / SEEN_STEPS), torch.full((memory,), 1 / STATE_STEPS)])
        # torch's order of gates is input, forget, candidate, output.
        gates = torch.arange(4 * memory).view(4, memory)[[0, 1, 3, 2]].flatten()
        gain = torch.ones(4 * memory, 1, dtype=torch.float64)
        gain[3 * memory :] = 2.0  # tanh(x) = 2 sigmoid(2x) - 1
        parameters = dict(lstm.named_parameters())
        weight = torch.cat([parameters["weight_ih_l0"], parameters["weight_hh_l0"]], 1).double()[gates] * gain
        bias = (parameters["bias_ih_l0"] + parameters["bias_hh_l0"]).double()[gates] * gain[:, 0]
        return ExactLSTM(
            (table * TABLE_STEPS).round() / TABLE_STEPS,
            exact_weight(weight, input_step, 1 / INDEX_STEPS).t().contiguous(),
            (bias * INDEX_STEPS * TABLE_STEPS).round() / TABLE_STEPS + INDEX_MAX + 1,
            exact_weight(head.weight.double(), input_step, 1 / LOGIT_STEPS).t().contiguous(),
            (head.bias.double() * LOGIT_STEPS).round(),
        )


def exact_weight(weight: Tensor, input_step: Tensor, output_step: float) -> Tensor:
    """Weights as 8-bit integers times a power of two for each output: float64 (outputs, inputs).

    Raises:
        ValueError: an output's sum could exceed what float32 holds exactly.
    """
    integers, step = quantise_weight(weight.view(*weight.shape, 1, 1), input_step, output_step)
    check_sums(integers, step, torch.zeros(len(weight), dtype=torch.float64))
    return (integers * step).view(weight.shape)


def exact_logits(exact: ExactLSTM, rows: Tensor) -> Tensor:
    """Logits in nats, for validation: rows of the table int64 (T, N, J) to float32 (T, N, tiles)."""
    weight, out = exact.weight.float(), exact.out.float()
    state = torch.zeros(rows.shape[1], exact.memory)
    cell = torch.zeros_like(state)
    logits = []
    starts = torch.arange(0, rows[0].numel(), rows.shape[2])
    with torch.inference_mode():
        for step in rows:
            seen = exact.look(step, starts)
            state, cell = exact.step(seen, state, cell, weight)
            logits.append(exact.logits(seen, state, out))
    return torch.stack(logits) / LOGIT_STEPS
