"""What a scrape says, read as Prometheus reads it."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True)
class Exposition:
    """One scrape."""

    text: str

    @property
    def samples(self) -> list[Sample]:
        """Every line of it."""
        families = text_string_to_metric_families(self.text)
        return [sample for family in families for sample in family.samples]

    @property
    def names(self) -> set[str]:
        """Every series name, as a query would have it."""
        return {sample.name for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series of that name with these labels; there must be one."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert found, f"there is no {name} with {labels}"
        return sum(found)
