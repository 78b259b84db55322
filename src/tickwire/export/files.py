"""Writes Parquet, Arrow (IPC, also called Feather) or CSV files, which appear only when they are complete."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Columns with statistics, by which readers skip parts of a file; for other columns they are useless.
_SOUGHT = ("exchange", "symbol", "exchange_time", "received_time", "epoch", "book_seq", "partition", "offset")


class Writer:
    """Writes tables of one schema to *folder*/*name*.*form*, which appears when it is complete.

    Raises ``OSError``.
    """

    def __init__(self, folder: Path, name: str, form: str, schema: pa.Schema) -> None:
        self.path = folder / f"{name}.{form}"
        self.rows = 0
        self._partial = folder / f".{name}.{form}.partial"
        self._file: Any = pa.OSFile(str(self._partial), "wb")
        self._writer: Any
        if form == "parquet":
            self._writer = pyarrow.parquet.ParquetWriter(
                self._file,
                schema,
                compression="zstd",
                compression_level=1,
                write_statistics=[name for name in _SOUGHT if name in schema.names],
            )
        elif form == "arrow":
            self._writer = pa.ipc.new_file(self._file, schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))
        else:
            self._writer = pyarrow.csv.CSVWriter(self._file, schema)

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(table)
        self.rows += table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._writer.close()
        self._file.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink()
