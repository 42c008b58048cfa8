"""Bytes that know of which dimensions they are the product: whole numbers with a polynomial beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

Monomial = tuple[tuple[str, int], ...]
"""Dimensions with their exponents, in the order of their names; () is 1."""
Terms = dict[Monomial, float]
"""A polynomial: factors by monomial."""
LONGEST_PROMPT = 256
"""Positions that a method adds to a text, at most."""
LENGTHS = {"l", "t"}
LARGEST_CONSTANT = 1024
"""Of sizes that are no dimension of the model (ranks, bottlenecks)."""


class UnknownSizeError(Exception):
    """A size that is no product of the dimensions."""


class Sized(int):
    """A whole number with the polynomial that it is the value of. Sums, differences and multiples keep it."""

    terms: Terms

    @classmethod
    def of(cls, value: int, terms: Terms) -> Sized:
        made = cls(value)
        made.terms = terms
        return made

    def __add__(self, other: int) -> Sized:
        if not isinstance(other, Sized):
            return Sized.of(int(self) + other, self.terms)
        return Sized.of(int(self) + int(other), added(self.terms, other.terms))

    __radd__ = __add__

    def __mul__(self, other: int) -> Sized:
        return Sized.of(int(self) * other, {key: factor * other for key, factor in self.terms.items()})

    __rmul__ = __mul__

    def __neg__(self) -> Sized:
        return self * -1

    def __sub__(self, other: int) -> Sized:
        return self + (-other)

    def __rsub__(self, other: int) -> Sized:
        return -self + other


def terms_of(number: int) -> Terms:
    """The polynomial of a number; nothing of one that has none."""
    return number.terms if isinstance(number, Sized) else {}


def added(one: Terms, other: Terms, times: float = 1.0) -> Terms:
    """The first polynomial and a multiple of the second."""
    found = dict(one)
    for key, factor in other.items():
        total = found.get(key, 0.0) + times * factor
        if total:
            found[key] = total
        else:
            found.pop(key, None)
    return found


def multiplied(one: Terms, other: Terms) -> Terms:
    """The product of two polynomials."""
    found: Terms = {}
    for a, x in one.items():
        for b, y in other.items():
            powers = dict(a)
            for name, power in b:
                powers[name] = powers.get(name, 0) + power
            key = tuple(sorted(powers.items()))
            found[key] = found.get(key, 0.0) + x * y
    return found


def stored_shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a tensor that has its storage to itself; of another, that of the storage in a row."""
    stored = tensor.untyped_storage().nbytes()
    return tuple(tensor.shape) if stored == tensor.nbytes else (stored // tensor.itemsize,)


class Dimensions:
    """Dimensions of a model and a batch with a prime of their own each, so that a size tells what it is the product of.

    Args:
        sizes: by name; each a prime and a power of 2, no two with the same prime.
        largest: what a size can be that is no dimension, such as a rank; where it stands alone, four times that.
    """

    def __init__(self, sizes: Mapping[str, int], largest: float = LARGEST_CONSTANT) -> None:
        self.sizes = dict(sizes)
        self._largest = largest
        self._primes = {name: size // (size & -size) for name, size in sizes.items()}
        self._known: dict[int, Terms] = {}
        self._prompted: dict[int, Terms] = {}

    def sized(self, shape: Sequence[int], itemsize: int) -> Sized:
        """Bytes of a tensor of a shape.

        Raises:
            UnknownSizeError: an extent is no product of dimensions, and no text with a prompt before it.
        """
        terms: Terms = {(): float(itemsize)}
        value = itemsize
        for extent in shape:
            terms, value = multiplied(terms, self.terms(extent)), value * extent
        return Sized.of(value, terms)

    def terms(self, extent: int) -> Terms:
        """What an extent is the product of; nothing of 0.

        Raises:
            UnknownSizeError: it is no product of dimensions, and no text with a prompt before it.
        """
        if extent not in self._known:
            self._known[extent] = self._read(extent) if extent else {}
        return self._known[extent]

    def _read(self, extent: int) -> Terms:
        for name in LENGTHS & self.sizes.keys():
            more = extent - self.sizes[name]
            if 0 < abs(more) <= LONGEST_PROMPT:
                self._prompted[extent] = {((name, 1),): 1.0, (): float(more)}
                return self._prompted[extent]
        for text, terms in self._prompted.items():  # a batch of such texts, one behind the other
            if extent % text == 0 and (times := self._product(extent // text)) is not None:
                return multiplied(terms, times)
        product = self._product(extent)
        if product is None:
            raise UnknownSizeError(extent)
        return product

    def _product(self, extent: int) -> Terms | None:
        left, factor, powers = extent, float(extent), dict[str, int]()
        for name, prime in self._primes.items():
            divisor = self.sizes[name] if name in LENGTHS else prime  # lengths are never cut into parts
            while left % divisor == 0:
                left //= divisor
                factor /= self.sizes[name]
                powers[name] = powers.get(name, 0) + 1
        if min(left, factor) > (self._largest if powers else 4 * self._largest):
            return None
        return {tuple(sorted(powers.items())): factor}
