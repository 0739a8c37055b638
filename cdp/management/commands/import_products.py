"""``manage.py import_products FILE``: the catalogue from JSON Lines, Parquet or CSV."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from cdp.domain.listing import Listing, listing
from cdp.errors import CDPError
from cdp.management.commands._base import progress, told_plainly
from cdp.selectors import files
from cdp.selectors.products import picture_length
from cdp.stages.catalogue import forget_pictures, write_products

CHUNK = 1000


class Command(BaseCommand):
    help = (
        "Import products. Columns: sku, title, description, category, brand, price, currency, "
        "in_stock, replenishable, channels, title_zh, description_zh, facts (JSON), image_vector (numbers); --map COLUMN=NAME renames."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--map", action="append", default=[], metavar="COLUMN=NAME")
        parser.add_argument("--replace-pictures", action="store_true", help="forget the pictures that are known first: for another image encoder")  # fmt: skip
        parser.add_argument("--currency", default="USD", help="of prices that name none")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        with told_plainly():
            renames = dict(_pair(pair) for pair in options["map"])
            refused: list[str] = []
            kept = 0
            files.count(file)  # a file that is none is named before anything is forgotten
            if options["replace_pictures"]:
                forget_pictures()
            rows = _listings(file, renames, options["currency"], refused)
            with progress() as bar:
                task = bar.add_task("products", total=files.count(file))
                while chunk := list(islice(rows, CHUNK)):
                    kept += write_products(chunk, file.name)
                    bar.update(task, completed=kept + len(refused))
        self.stdout.write(f"{kept} products kept, {len(refused)} rows refused")
        for line in refused[:20]:
            self.stderr.write(f"  {line}")


def _listings(
    file: Path, renames: dict[str, str], currency: str, refused: list[str]
) -> Iterator[Listing]:
    length = picture_length()
    for number, row in enumerate(files.rows(file), 1):
        if isinstance(row, files.Broken):
            refused.append(f"line {row.number}: {row.reason}")
            continue
        try:
            found = listing({renames.get(name, name): v for name, v in row.items()}, currency)
            own = len(found.image_vector) or length
            length = length or own
            if own != length:
                said = f"pictures are described by {length} numbers, this one by {own}; see --replace-pictures"
                raise CDPError("bad_row", said, field="image_vector")
            yield found
        except CDPError as error:
            refused.append(f"row {number}: {error}")


def _pair(pair: str) -> tuple[str, str]:
    column, separator, name = pair.partition("=")
    if not (column and separator and name):
        raise CDPError("bad_column_map", f"{pair!r} is not COLUMN=NAME", field="--map")
    return column, name
