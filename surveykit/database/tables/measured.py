"""Tables of what was measured and of what the closed forms give: the files of catalog/measured, and quantities.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, create_model

from surveykit.catalog import measurements, quantities, saved_files
from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import cell_of, current_key
from surveykit.catalog.records import Formula
from surveykit.catalog.shelves import SHELVES
from surveykit.database.rows import BigInt, Row, columns
from surveykit.record import BackboneId, ConfigurationId, InDatabase


class Quantity(Row, quantities.Quantity):
    """What sources print, how it is compared, and with which threshold; the file quantities.yaml."""

    identity = ("id",)
    left_out = ("senses",)

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return map(cls.of, catalog.quantities.quantities)


class Sense(Row, quantities.Sense):
    """Meanings that a printed figure of a quantity can have: our counts; the file quantities.yaml."""

    identity = ("quantity", "id")
    left_out = ("counts",)

    quantity: Annotated[str, InDatabase(refers_to="quantity", comment="Id of the quantity, as in quantity.id")]
    position: int
    """Order from 1; the first is what the quantity's name says, others are used only in searches."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for quantity in catalog.quantities.quantities:
            for i, sense in enumerate(quantity.senses, start=1):
                yield cls.of(sense, quantity=quantity.id, position=i)


class Judging(Row, quantities.Judging):
    """Model and setting for claims that name none: one row; the file quantities.yaml."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        yield cls.of(catalog.quantities.judging)


class Run(Row, measurements.Run):
    """Environments that measurements came from."""

    left_out = ("digest",)

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return map(cls.of, catalog.runs.values())


class _Recorded(Row):
    # Records of catalog/measured, each with whether what it rests on has changed since.
    left_out = ("digest",)

    is_stale: bool
    """Whether the recipe, the base model, the settings or the code changed since."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        shelf = next(shelf for shelf in SHELVES if issubclass(cls, shelf.record))
        rows = shelf.rows(catalog)
        now = {cell: current_key(catalog, cell) for cell in {cell_of(row) for row in rows}}
        return (cls.of(row, is_stale=row.key != now[cell_of(row)]) for row in rows)


class Measurement(_Recorded, measurements.Measurement):
    """What the engine counted; the files in catalog/measured/counts."""


class Cost(_Recorded, measurements.Cost):
    """How far backward reaches, and the cost of inference; the files in catalog/measured/costs."""

    derived = ("backward",)


class MemoryUse(_Recorded, measurements.MemoryUse):
    """Predicted peak memory of training; the files in catalog/measured/memory."""


class Prediction(_Recorded, measurements.Prediction):
    """Predicted memory of training steps for which sources print memory; the files in catalog/measured/predictions."""


class SavedFile(_Recorded, saved_files.SavedFile):
    """Sizes of saved files that sources print, in the precisions of their runs; the files in catalog/measured/files."""


class Trial(_Recorded, measurements.TrialRow):
    """Result of training each configuration on a tiny T5; the files in catalog/measured/trials."""


class _FormulaValue(Row):
    identity = ("configuration", "backbone")

    configuration: ConfigurationId
    backbone: BackboneId

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for name, _, configuration in catalog.configurations():
            for backbone in catalog.models_of(name):
                values = configuration.formula and configuration.formula.values_on(catalog.models[backbone].dimensions)
                if values:
                    yield cls.of(configuration=name, backbone=backbone, **values)


_BY_FORMULA: dict[str, Any] = {
    column.name: (BigInt, Field(description=f"{column.comment}, by the closed form"))
    for column in columns(Measurement)
    if column.name in Formula.model_fields
}
FormulaValue = create_model(
    "FormulaValue", __base__=_FormulaValue, __doc__="The closed forms, evaluated.", **_BY_FORMULA
)
