"""What every child does sooner or later, done in the zygote first: children then start with warm caches.

That is to import what submissions import, and to load and call a file as tests do.

While code runs, Python specialises it and fills the caches of types, and torch looks its operators up. All that is
written to memory. What the zygote has written its children share; what a child writes the kernel copies for it, page
by page.

Only code of ours runs here. It must start no thread, because a fork copies none. So there is no backward pass: where
torch knows an accelerator, that starts threads, and forked processes are refused another.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
from contextlib import suppress
from typing import Any

import torch

from autograder.guest import loading
from autograder.remote import wire
from autograder.remote.decode import Decoder
from autograder.remote.encode import Encoder
from autograder.remote.server import Server
from autograder.remote.stream import Inbox
from autograder.remote.values import MODULE

# What submissions import, and what torch imports lazily at first use.
_IMPORTED = """
    torch numpy torch.optim torch.utils.checkpoint torch.utils.data torch._dynamo torch.nn.functional abc
    array ast asyncio base64 bisect collections concurrent.futures contextlib copy csv dataclasses
    datetime decimal difflib enum fractions functools glob hashlib heapq html inspect io itertools json
    logging math operator pathlib pickle pprint queue random re statistics string struct tarfile tempfile
    textwrap threading time traceback types typing unicodedata unittest urllib.parse uuid warnings weakref
    xml.etree.ElementTree zipfile zlib
"""
IMPORTED = tuple(_IMPORTED.split())
TIMES = 10  # Python specialises a function once it has run a few times

SOURCE = b'''
"""What students' files are made of."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(x: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    scores = torch.where(mask, x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1]), -math.inf)
    scores = scores.masked_fill(~mask, -1e9) - scores.amax(dim=dim, keepdim=True)
    weights = scores.exp() / scores.exp().sum(dim=dim, keepdim=True)
    mixed = (weights @ x).reshape(-1, x.shape[-1])
    mixed = torch.cat([mixed, mixed.view_as(mixed).clone()]) + torch.arange(mixed.shape[-1], dtype=mixed.dtype)
    mixed = torch.stack([mixed[0], mixed[..., -1:].expand_as(mixed)[1]]).unsqueeze(0).permute(1, 0, 2).contiguous()
    if bool((mixed == mixed).all()) and mixed.max() >= mixed.min():
        mixed = mixed.float().mean(-1).clamp(min=0) * torch.sqrt(torch.ones(()) + torch.zeros(1).sum()).to(x.dtype)
    return F.softmax(mixed, -1).log().abs() ** 2 + torch.tril(torch.ones(2, 2)).tolist()[0][0]


class Layer(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, size)
        self.scale = nn.Parameter(torch.empty(size))
        nn.init.ones_(self.scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x)) * self.scale


def index(words: list[str], sizes: dict[str, int]) -> dict[str, list]:
    found: dict[str, list] = {}
    for i, word in enumerate(words):
        found.setdefault(word.strip().lower(), []).append((i, sizes.get(word, 0)))
    return {word: sorted(places) for word, places in found.items()}


def later() -> None:
    raise NotImplementedError("later")
'''


def warm_up() -> None:
    """Import what submissions commonly need, and rehearse."""
    for name in IMPORTED:
        importlib.import_module(name)
    _import_plots()
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    rehearse()


def _import_plots() -> None:
    """Import matplotlib where it is installed: most notebooks do, and its first import wants a directory to write to.

    It remembers the directory's name and never looks again, so it may be gone afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder
        with suppress(ImportError):
            importlib.import_module("matplotlib.pyplot")
    # It watches over its font search with a timer's thread; the timer is cancelled by now.
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(timeout=10)


def rehearse() -> None:
    """Load a small file, and call it the way tests do."""
    server = Server(channel=-1)
    _ask(server, "load", MODULE, "", {"rehearsal.py": SOURCE}, "rehearsal.py")
    x, mask = torch.ones(2, 4, 4, requires_grad=True), torch.ones(4, dtype=torch.bool)
    for _ in range(TIMES):
        attend, layer, index, later = (
            _ask(server, "get", MODULE, name) for name in ("attend", "Layer", "index", "later")
        )
        _ask(server, "call", attend, "", x, mask, dim=-1)
        _ask(server, "call", index, "", ["a ", "B", "a "], {"B": 1})
        _ask(server, "call", later, "")
        made = _ask(server, "call", layer, "", 4)
        weight = _ask(server, "get", _ask(server, "get", made, "inner"), "weight")
        _ask(server, "call", made, "", weight)
    del sys.modules[loading.MODULE]


def _ask(server: Server, kind: str, target: int, name: str, *args: Any, **kwargs: Any) -> Any:
    """One operation the way it comes and goes, but for the channel. What stays with the server is a number here."""
    asking = Encoder(lambda value: wire.HandleNode(value))
    request = wire.Request(0, kind, target, name, asking.arguments(args, kwargs), [], seed=0)
    header, payload = _sent(wire.pack(request, asking.payload))
    received = wire.unpack_to_child(header)
    assert isinstance(received, wire.Request)
    header, payload = _sent(wire.pack(*server.run(received, payload)))
    answer = wire.unpack_from_child(header)
    if isinstance(answer, wire.Returned):
        return Decoder(payload, lambda node: node.number).value(answer.value)
    if isinstance(answer, wire.Raised) and answer.name != "NotImplementedError":
        raise RuntimeError(f"the rehearsal failed: {answer.name}: {answer.message}")
    return None


def _sent(pieces: list[memoryview | bytes]) -> tuple[bytearray, bytearray]:
    """A frame's header and payload, as they arrive."""
    frame = iter([b"".join(pieces)])

    def read(buffer: memoryview) -> int:
        piece = next(frame)
        buffer[: len(piece)] = piece
        return len(piece)

    return Inbox(read).frame()
