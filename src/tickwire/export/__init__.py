"""Topics into files of Apache Arrow, Parquet or CSV: a time range of tickers, trades and books, digit for digit."""
