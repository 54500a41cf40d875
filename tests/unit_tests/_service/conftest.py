"""What requests need and meet on their way is tested in all four modes of calling a model."""

from tests.unit_tests.calling_modes import ainvoke, astream, calls_in, invoke, stream

call_model = calls_in(invoke, ainvoke, stream, astream)
