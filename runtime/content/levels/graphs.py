"""Directed graphs as arrays: `first` int32 (N + 1) offsets into the edges of each node, `to` int32 their targets."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from runtime.content.levels.queue import pop, push

FAR = 1 << 30
Nodes = NDArray[np.int32]


@njit(cache=True, nogil=True)
def components(first: Nodes, to: Nodes) -> Nodes:
    """The strong component of each node, int32 (N,), numbered so that edges lead to the same or to a smaller number.

    Tarjan 1972, "Depth-first search and linear graph algorithms", with a stack of its own.
    """
    nodes = first.size - 1
    component = np.full(nodes, -1, np.int32)
    index, low = np.full(nodes, -1, np.int32), np.zeros(nodes, np.int32)
    edge = first[:-1].copy()  # the next to look at, of each node
    stack, calls = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    height, found, count = 0, 0, 0
    for root in range(nodes):
        if index[root] >= 0:
            continue
        depth = 1
        calls[0] = root
        while depth:
            node = calls[depth - 1]
            if index[node] < 0:
                index[node] = low[node] = found
                found += 1
                stack[height] = node
                height += 1
            if edge[node] < first[node + 1]:
                target = to[edge[node]]
                edge[node] += 1
                if index[target] < 0:
                    calls[depth] = target
                    depth += 1
                elif component[target] < 0:
                    low[node] = min(low[node], index[target])
                continue
            depth -= 1
            if depth:
                low[calls[depth - 1]] = min(low[calls[depth - 1]], low[node])
            if low[node] == index[node]:
                while True:
                    height -= 1
                    component[stack[height]] = count
                    if stack[height] == node:
                        break
                count += 1
    return component


@njit(cache=True, nogil=True)
def nearest(first: Nodes, to: Nodes, cost: Nodes, source: int, wanted: NDArray[np.bool_]) -> tuple[Nodes, int]:
    """The edges of the cheapest path from a node to a wanted one (Dijkstra), and how many nodes were searched.

    There are none if the source is wanted, or if no wanted node can be reached.
    """
    nodes = first.size - 1
    best, via, source_of = np.full(nodes, FAR, np.int32), np.full(nodes, -1, np.int32), np.empty(nodes, np.int32)
    heap = np.empty(to.size + 1, np.int64)
    heap[0] = source
    size, looked = 1, 0
    best[source] = 0
    while size:
        value = pop(heap, size)
        size -= 1
        node, so_far = value & 0xFFFFFFFF, value >> 32
        if so_far > best[node]:
            continue
        looked += 1
        if wanted[node]:
            length = 0
            at = node
            while at != source:
                length += 1
                at = source_of[at]
            edges = np.empty(length, np.int32)
            at = node
            for i in range(length - 1, -1, -1):
                edges[i] = via[at]
                at = source_of[at]
            return edges, looked
        for edge in range(first[node], first[node + 1]):
            target = to[edge]
            if so_far + cost[edge] < best[target]:
                best[target] = so_far + cost[edge]
                via[target], source_of[target] = edge, node
                push(heap, size, best[target] << 32 | target)
                size += 1
    return np.empty(0, np.int32), looked


@njit(cache=True, nogil=True)
def distances(first: Nodes, to: Nodes, cost: Nodes, sources: NDArray[np.bool_]) -> tuple[Nodes, Nodes]:
    """Each node's distance from the nearest source, FAR where there is no path, and the node before it on that path, -1
    for a source (Dijkstra).
    """
    nodes = first.size - 1
    best, source_of = np.full(nodes, FAR, np.int32), np.full(nodes, -1, np.int32)
    heap = np.empty(to.size + nodes + 1, np.int64)
    size = 0
    for node in range(nodes):
        if sources[node]:
            best[node] = 0
            push(heap, size, node)
            size += 1
    while size:
        value = pop(heap, size)
        size -= 1
        node, so_far = value & 0xFFFFFFFF, value >> 32
        if so_far > best[node]:
            continue
        for edge in range(first[node], first[node + 1]):
            target = to[edge]
            if so_far + cost[edge] < best[target]:
                best[target] = so_far + cost[edge]
                source_of[target] = node
                push(heap, size, best[target] << 32 | target)
                size += 1
    return best, source_of


def reversed_edges(first: Nodes, to: Nodes, cost: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """The graph with every edge reversed: its `first`, `to` and `cost`."""
    nodes = first.size - 1
    source = np.repeat(np.arange(nodes, dtype=np.int32), np.diff(first))
    order = np.argsort(to, kind="stable")
    counts = np.bincount(to, minlength=nodes)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), source[order], cost[order]
