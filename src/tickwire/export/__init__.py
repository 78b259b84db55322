"""Exports a time range of tickers, trades and books to Arrow, Parquet or CSV files, without losing digits."""
