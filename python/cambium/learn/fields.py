"""Metadata of a file, read key by key: missing, mistyped and unknown keys are errors that name file, key, value and the
nearest valid name. As core/nn/safetensors_fields.hpp."""

from __future__ import annotations

import json
import math
from typing import Any, Mapping, Sequence

from cambium.nearest import did_you_mean
from cambium.safetensors import SafetensorsFile
from cambium.status import CambiumError, Code

_MOST_NUMBERS = 1 << 24  # fill the largest message that a host can be told to take


class Fields:
    """Ask for every key that is known, then finish()."""

    def __init__(self, fields: Any, where: str, values_are_text: bool = False) -> None:
        if not isinstance(fields, Mapping):
            raise CambiumError(Code.bad_data, f"{where} is {json.dumps(fields)}, expected a JSON object")
        self.where = where
        self._fields = fields
        self._asked = {"format"} if values_are_text else set[str]()  # writers of other frameworks leave it: "pt"
        self._values_are_text = values_are_text

    @classmethod
    def of(cls, file: SafetensorsFile) -> Fields:
        return cls(file.metadata, f"'{file.path}': metadata", values_are_text=True)

    def fail(self, key: str, what: str) -> CambiumError:
        return CambiumError(Code.bad_data, f"{self.where} '{key}' {what}")

    def has(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._fields

    def _find(self, key: str, expected: str, text: bool = False) -> Any:
        if not self.has(key):
            near = [name for name in self._fields if name not in self._asked]
            raise self.fail(key, f"is missing, expected {expected}{did_you_mean(key, near) if near else ''}")
        value = self._fields[key]
        if text or not self._values_are_text:
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise self.fail(key, f"is '{value}', expected {expected} as JSON") from None

    def text(self, key: str) -> str:
        value = self._find(key, "text", text=True)
        if not isinstance(value, str) or not value:
            raise self.fail(key, f"is {json.dumps(value)}, expected text")
        return value

    def one_of(self, key: str, names: Sequence[str]) -> str:
        value = self.text(key)
        if value not in names:
            raise self.fail(key, f"is '{value}'{did_you_mean(value, names)}")
        return value

    def count(self, key: str, least: int, most: int) -> int:
        expected = f"a whole number from {least} to {most}"
        value = self._find(key, expected)
        if type(value) is not int or not least <= value <= most:
            raise self.fail(key, f"is {json.dumps(value)}, expected {expected}")
        return value

    def number(self, key: str) -> float:
        value = self._find(key, "a number")
        if not _is_number(value):
            raise self.fail(key, f"is {json.dumps(value)}, expected a number")
        return float(value)

    def boolean(self, key: str) -> bool:
        value = self._find(key, "true or false")
        if not isinstance(value, bool):
            raise self.fail(key, f"is {json.dumps(value)}, expected true or false")
        return value

    def numbers(self, key: str) -> list[float]:
        value = self._find(key, "a list of numbers")
        if not isinstance(value, list) or not all(_is_number(one) for one in value):
            raise self.fail(key, f"is {json.dumps(value)}, expected a list of numbers")
        return [float(one) for one in value]

    def texts(self, key: str) -> list[str]:
        value = self._find(key, "a list of texts")
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.fail(key, f"is {json.dumps(value)}, expected a list of texts")
        return value

    def sizes(self, key: str, most_dimensions: int, may_be_empty: bool = False) -> tuple[int, ...]:
        expected = f"a list of {0 if may_be_empty else 1} to {most_dimensions} sizes"
        value = self._find(key, expected)
        good = isinstance(value, list) and len(value) <= most_dimensions and (bool(value) or may_be_empty)
        if not good or not all(type(one) is int and 1 <= one <= 65536 for one in value):
            raise self.fail(key, f"is {json.dumps(value)}, expected {expected}")
        if math.prod(value) > _MOST_NUMBERS:
            raise self.fail(key, f"is {json.dumps(value)}, expected at most {_MOST_NUMBERS} numbers")
        return tuple(value)

    def text_map(self, key: str) -> dict[str, str]:
        value = self._find(key, "an object of texts")
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.fail(key, f"is {json.dumps(value)}, expected an object of texts")
        return value

    def object(self, key: str) -> dict[str, Any]:
        value = self._find(key, "an object")
        if not isinstance(value, dict):
            raise self.fail(key, f"is {json.dumps(value)}, expected an object")
        return value

    def list(self, key: str) -> list[Any]:
        value = self._find(key, "a list")
        if not isinstance(value, list):
            raise self.fail(key, f"is {json.dumps(value)}, expected a list")
        return value

    def finish(self) -> None:
        for name, value in self._fields.items():
            if name not in self._asked:
                raise CambiumError(
                    Code.bad_data,
                    f"{self.where} '{name}' (value {json.dumps(value)}) is not known"
                    f"{did_you_mean(name, sorted(self._asked))}",
                )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
