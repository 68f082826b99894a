"""What LiteRT makes of a file's graph: its operators, and which of them XNNPACK runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ai_edge_litert.interpreter import Interpreter

from optsuite import cpu
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.litert import LiteRTRunner, or_end
from optsuite.results.examined import Graph

_DELEGATE = "DELEGATE"
"""LiteRT's name of a delegate's node; XNNPACK's is the only delegate for CPUs that it includes."""


@dataclass(frozen=True, kw_only=True)
class Runtime(Examination[Graph]):
    """The graph that runs. The file is called once: one that LiteRT crashes on ends this process, and not the run."""

    name: str = "runtime"
    packages = ("ai-edge-litert",)
    record = Graph

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), "cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Graph:
        with or_end():
            runner = LiteRTRunner(task.content)
            runner.invoke()
        operators, undelegated = _operators(runner.interpreter)
        return Graph(operators=operators, undelegated=undelegated)


def _operators(interpreter: Interpreter) -> tuple[int, tuple[str, ...]]:
    """Return the number of operators, and the names of those that LiteRT runs itself, in the graph's order.

    A delegate's node is added to the graph, and what it replaces stays listed: what runs is what the outputs come from.
    """
    nodes = interpreter._get_ops_details()  # there is no public way
    makers = {int(tensor): node for node in nodes for tensor in node["outputs"]}  # the delegate's come last
    runs: dict[int, str] = {}
    tensors = [int(output["index"]) for output in interpreter.get_output_details()]
    while tensors:
        node = makers.get(tensors.pop())
        if node is not None and node["index"] not in runs:
            runs[node["index"]] = node["op_name"]
            tensors.extend(map(int, node["inputs"]))
    undelegated = tuple(name for _, name in sorted(runs.items()) if name != _DELEGATE)
    return sum(node["op_name"] != _DELEGATE for node in nodes), undelegated
