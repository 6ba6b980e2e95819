"""What a hidden test may use. Knows no course, no student's name and no worker: only proxies, numbers and laws."""

from autograde.client.calls import Cost
from autograde.client.errors import StudentError
from autograde.client.function import Function
from autograde.client.mismatch import Mismatch, expect
from autograde.client.remote_object import RemoteObject
from autograde.client.student import Student
from autograde.testing import builtin_operators, contract
from autograde.testing.checks import check
from autograde.testing.difference import expect_like
from autograde.testing.oracle import Oracle
from autograde.testing.parameters import expect_parameters
from autograde.testing.strategies import tensors
from autograde.testing.supplies import Supplies
from autograde.testing.tolerance import through_float32, widened
from autograde.wire import Generator

__all__ = [
    "Cost",
    "Function",
    "Generator",
    "Mismatch",
    "Oracle",
    "RemoteObject",
    "Student",
    "StudentError",
    "Supplies",
    "check",
    "contract",
    "expect",
    "expect_like",
    "expect_parameters",
    "builtin_operators",
    "tensors",
    "through_float32",
    "widened",
]
