"""All responses of an experiment on one benchmark in a DuckDB file, laid out so that a page of them is quick.

Rows lie sorted by item, so that the answers to one item are neighbours; what changed is computed once, when the
table is made. Texts are values here, never markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay_schemas.images import image_keys

Only = Literal["all", "flips", "losses", "wins"]
LONGEST_TEXT = 4000
MEMORY_LIMIT = "768MB"
CONSISTENT_SHARE = 0.5

PREPARE = """
CREATE TABLE raw (replicate INTEGER, place BIGINT, item_id VARCHAR, sample_index INTEGER, prompt VARCHAR,
    target VARCHAR, response VARCHAR, score DOUBLE, error VARCHAR, images VARCHAR[]);
CREATE TABLE replicates (replicate INTEGER, arm VARCHAR, who VARCHAR);
"""
ARRANGE = """
CREATE TABLE items AS
    SELECT row_number() OVER (ORDER BY first) AS item, item_id, prompt, target, images FROM
    (SELECT item_id, min(replicate * 4294967296 + place) AS first, arg_min(prompt, replicate) AS prompt,
        arg_min(target, replicate) AS target, arg_min(images, replicate) AS images FROM raw GROUP BY item_id);
CREATE TABLE answers AS
    SELECT item, replicate, sample_index, response, score, error FROM raw JOIN items USING (item_id)
    ORDER BY item, replicate, sample_index;
DROP TABLE raw;
"""
# An item with a failed sample has failed in that seed, and only what every seed has can have changed.
CHANGES = """
CREATE TABLE changes AS
WITH means AS (
    SELECT item, replicate, arm, CASE WHEN count(score) = count(*) THEN avg(score) END AS mean
    FROM answers JOIN replicates USING (replicate) GROUP BY item, replicate, arm),
moved AS (
    SELECT m.item, m.arm, m.mean - c.mean AS moved FROM means m JOIN means c ON c.item = m.item
    WHERE c.arm = 'control' AND m.arm <> 'control'),
summed AS (SELECT item, arm, avg(moved) AS change, count(moved) AS seeds FROM moved GROUP BY item, arm)
SELECT s.item, s.arm, s.change * $direction AS change
FROM summed s JOIN moved USING (item, arm)
WHERE s.change <> 0 AND s.seeds = (SELECT count(*) FROM replicates r WHERE r.arm = s.arm)
GROUP BY s.item, s.arm, s.change
HAVING avg(CASE WHEN sign(moved.moved) = sign(s.change) THEN 1.0 ELSE 0.0 END) > $share
ORDER BY s.item;
"""
FOUND = """
WITH found AS (
    SELECT item FROM items WHERE $q = '' OR contains(lower(prompt), $q) OR contains(lower(target), $q)
    UNION SELECT item FROM answers JOIN replicates USING (replicate)
    WHERE $q <> '' AND contains(lower(response), $q)
        AND (len($arms) = 0 OR arm = 'control' OR list_contains($arms, arm)))
"""
ITEMS = {
    "all": "SELECT item, item AS rank, NULL AS arm FROM found",
    "changed": """SELECT item, min(change) AS rank, min(arm) AS arm FROM changes JOIN found USING (item)
        WHERE (len($arms) = 0 OR list_contains($arms, arm)) AND ($only = 'flips' OR ($only = 'losses') = (change < 0))
        GROUP BY item""",
}


@dataclass(frozen=True)
class Wanted:
    """What a page shows; `search` is looked for in prompts, targets and responses, whatever its case."""

    only: Only = "flips"
    arms: tuple[str, ...] = ()
    search: str = ""
    item: str = ""
    page: int = 1
    size: int = 25


class ResponseTable:
    """One benchmark's responses. Made by `add` for each replicate, then `arrange`; read by many threads after that."""

    def __init__(self, file: Path) -> None:
        import duckdb  # half a second that the start does not wait for

        options = {"memory_limit": MEMORY_LIMIT, "threads": 2, "temp_directory": f"{file}.spill"}
        self._database = duckdb.connect(str(file), config=options)
        self._database.execute(PREPARE)

    def add(self, replicate: int, arm: str, who: str, samples: Any) -> None:
        """A replicate's samples, an Arrow table as the evaluator writes it; older ones lack images or reasons."""
        images = "images" if "images" in samples.column_names else "[]::VARCHAR[]"
        error = "error" if "error" in samples.column_names else "''"
        self._database.execute("INSERT INTO replicates VALUES (?, ?, ?)", [replicate, arm, who])
        self._database.register("samples", samples)
        self._database.execute(
            f"""INSERT INTO raw SELECT ?, row_number() OVER () - 1, item_id, sample_index, prompt, target, response,
            CASE WHEN isnan(score) THEN NULL ELSE score END, {error}, {images} FROM samples""",
            [replicate],
        )
        self._database.unregister("samples")

    def arrange(self, *, higher_is_better: bool, may_flip: bool) -> None:
        """Sorts all rows by item and computes what changed, for scores that are shares of 1."""
        self._database.execute(ARRANGE)
        found = self._database.execute("SELECT bool_and(score BETWEEN 0 AND 1) FROM answers").fetchone()
        flips = may_flip and found is not None and bool(found[0])
        values = {"direction": 1 if higher_is_better else -1, "share": CONSISTENT_SHARE if flips else 2.0}
        self._database.execute(CHANGES, values)

    def page(self, wanted: Wanted) -> tuple[int, list[dict[str, Any]]]:
        """How many items there are, and those of the page with every answer; losses first where something changed."""
        cursor = self._database.cursor()
        kind = "all" if wanted.only == "all" else "changed"
        values = {"q": wanted.search.lower(), "arms": list(wanted.arms)}
        if wanted.item:
            rows = cursor.execute("SELECT item FROM items WHERE item_id = ?", [wanted.item]).fetchall()
            return len(rows), _items(cursor, [item for (item,) in rows], wanted, whole=True)
        if kind == "changed":
            values["only"] = wanted.only
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS {FOUND} {ITEMS[kind]}", values)
        (total,) = cursor.execute("SELECT count(*) FROM wanted").fetchone() or (0,)
        rows = cursor.execute(
            "SELECT item FROM wanted ORDER BY rank, arm, item LIMIT ? OFFSET ?",
            [wanted.size, (wanted.page - 1) * wanted.size],
        ).fetchall()
        return int(total), _items(cursor, [item for (item,) in rows], wanted, whole=False)

    def close(self) -> None:
        self._database.close()


def _items(cursor: Any, numbers: Sequence[int], wanted: Wanted, *, whole: bool) -> list[dict[str, Any]]:
    """The items in the order of their numbers, each with its answers, control's first, and what changed."""
    if not numbers:
        return []
    values = {"items": list(numbers), "arms": list(wanted.arms), "most": 2**31 if whole else LONGEST_TEXT}
    found = {
        number: {
            "id": identity,
            "prompt": prompt,
            "target": target,
            "images": image_keys(images),
            "answers": [],
            "notes": [],
        }
        for number, identity, prompt, target, images in cursor.execute(
            """SELECT item, item_id, left(prompt, $most), left(target, $most), images FROM items
            WHERE list_contains($items, item)""",
            {name: values[name] for name in ("items", "most")},
        ).fetchall()
    }
    low, high = min(numbers), max(numbers)
    answers = cursor.execute(
        """SELECT item, who, arm, left(response, $most), length(response), score, left(error, $most)
        FROM answers JOIN replicates USING (replicate)
        WHERE item BETWEEN $low AND $high AND list_contains($items, item)
        AND (len($arms) = 0 OR arm = 'control' OR list_contains($arms, arm))
        ORDER BY item, replicate, sample_index""",
        {**values, "low": low, "high": high},
    ).fetchall()
    for item, who, arm, response, length, score, error in answers:
        cut = max(0, (length or 0) - len(response or ""))
        answer = {"who": who, "arm": arm, "response": response, "score": score, "cut": cut, "error": error}
        found[item]["answers"].append(answer)
    for item, arm, change in _changes(cursor, numbers):
        if not wanted.arms or arm in wanted.arms:
            found[item]["notes"].append(f"{arm} {'lost' if change < 0 else 'won'}")
    return [found[number] for number in numbers]


def _changes(cursor: Any, numbers: Sequence[int]) -> Iterable[tuple[int, str, float]]:
    query = "SELECT item, arm, change FROM changes WHERE list_contains($items, item) ORDER BY item, change, arm"
    return list(cursor.execute(query, {"items": list(numbers)}).fetchall())
