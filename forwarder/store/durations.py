"""How long something took: the two databases say it in different words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Function
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Seconds(FunctionElement[float]):
    """The seconds from one moment to a later one, as columns."""

    type = Float()
    inherit_cache = True


@compiles(Seconds, "sqlite")
def _on_sqlite(element: Function[Any], compiler: SQLCompiler, **_: object) -> str:
    begun, ended = (compiler.process(clause) for clause in element.clauses)
    return f"(julianday({ended}) - julianday({begun})) * 86400.0"


@compiles(Seconds, "postgresql")
def _on_postgresql(element: Function[Any], compiler: SQLCompiler, **_: object) -> str:
    begun, ended = (compiler.process(clause) for clause in element.clauses)
    return f"EXTRACT(EPOCH FROM {ended} - {begun})::double precision"
