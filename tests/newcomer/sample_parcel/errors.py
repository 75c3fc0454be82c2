"""What parcels refuse."""

from ovasabi.errors import Kind, OvasabiError, such_as


class SampleParcelTooHigh(OvasabiError):
    """The parcel has more layers than its carrier takes."""

    kind = Kind.INVALID
    code = "sample_parcel_too_high"
    message = "A {carrier} takes {limit} layers at most."
    hint = "Choose another carrier."
    example = such_as(carrier="bike-courier", limit=3)
