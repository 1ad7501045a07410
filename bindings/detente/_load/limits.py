"""What a load takes at most; `docs/limits.md` and `docs/load.md` say so."""

CELL = 1 << 20
"""Characters of one cell."""

ROW = 4 << 20
"""Characters of one row: of a line, or of a row whose cells span lines."""

COLUMNS = 2_000
"""Cells of a row."""

DEPTH = 64
"""Elements of XML in one another."""

FILE = 16 << 30
"""Bytes of a file, unpacked where it is gzipped."""

REREAD = 64 << 20
"""Characters that are read again behind quotes which do not end."""

SHEET_ROWS = 1_048_576
"""Rows of a sheet; as many as Excel has."""

WORKBOOK = 2 << 30
"""Bytes of all parts of an XLSX file, unpacked."""

STRINGS = 256 << 20
"""Bytes of a part of an XLSX file that is no sheet, unpacked: its texts are held in memory."""

RATIO = 200
"""Times that the parts of an XLSX file are larger than packed, once they are over `RATIO_FROM`."""

RATIO_FROM = 32 << 20

ROW_GROUP = 2 << 30
"""Bytes of a Parquet file's row group, unpacked."""

JOINED = 10_000
"""Rows of a joined file that one row has."""

PROBLEMS = 10_000
"""Bad cells that are kept; all are counted."""

MAPPING = 1 << 20
"""Bytes of a mapping."""

RECORD = 1 << 20
"""Bytes of a record; the server's own limit."""

SHOWN = 80
"""Characters of a value in a report."""
