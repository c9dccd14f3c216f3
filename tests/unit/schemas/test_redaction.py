"""In a dead letter's bytes addresses and coordinates are coarse, whatever state the bytes are in."""

import pytest

from schemas.redaction import coarsened, location_kind, without_locations


@pytest.mark.parametrize("name", ["ip", "IP", "clientIp", "client_ip", "ipAddress", "x-forwarded-for"])
def test_a_name_of_an_address_is_known(name: str) -> None:
    assert location_kind(name) == "address"


@pytest.mark.parametrize("name", ["lat", "LON", "geo_lat", "geoLng", "place.latitude", "coordinates"])
def test_a_name_of_a_coordinate_is_known(name: str) -> None:
    assert location_kind(name) == "coordinate"


@pytest.mark.parametrize("name", ["ship", "plat", "latest", "longer", "zip", "translation", ""])
def test_other_names_are_left_alone(name: str) -> None:
    assert location_kind(name) is None


@pytest.mark.parametrize(
    ("original", "coarse"),
    [
        (b'{"ip":"83.45.12.20","a":1}', b'{"ip":"83.45.12.0","a":1}'),
        (b'{"ip": "83.45.12.2', b'{"ip": "83.45.12.0'),
        (b'{"ip": "83.45.12', b'{"ip": "'),
        (b'{"ip":"2001:db8:85a3:8d3:1319:8a2e:370:7348"}', b'{"ip":"2001:db8:85a3::"}'),
        (b'{"ip":"2001:db8:85a3:8d3:1319', b'{"ip":"'),
        (b'{"ip":"::ffff:83.45.12.20"}', b'{"ip":"::"}'),
        (b'{"ip":"83\\u002e45.12.20"}', b'{"ip":""}'),
        (b'{"x-forwarded-for":"83.45.12.20, 10.0.0.7"}', b'{"x-forwarded-for":"83.45.12.0, 10.0.0.0"}'),
        (b'{"seen":["83.45.12.20","2001:db8:85a3:8d3::1"]}', b'{"seen":["83.45.12.0","2001:db8:85a3::"]}'),
        (b'{"note":"came from 83.45.12.20."}', b'{"note":"came from 83.45.12.0."}'),
        (b'{"lat":40.4168,"lon":-3.70379}', b'{"lat":40.4,"lon":-3.7}'),
        (b'{"lat":"40.4168","geoLng":-3.70379e0', b'{"lat":"40.4","geoLng":-3.7'),
        (b'{"latitude" : 40.41', b'{"latitude" : 40.4'),
        (b'{"coordinates":[-3.70379,40.4168', b'{"coordinates":[-3.7,40.4'),
        (b'{"coordinates":[[-3.70379,40.4168],[1.25,2]]}', b'{"coordinates":[[-3.7,40.4],[1.2,2.0]]}'),
        (b'{"lat":"40\xc2\xb025N"}', b'{"lat":""}'),
        (b'{"here":"40.4168,-3.70379"}', b'{"here":"40.4,-3.7"}'),
        (b'{"url":"/x?lat=40.4168&lon=-3.70379&q=1.2345"}', b'{"url":"/x?lat=40.4&lon=-3.7&q=1.2345"}'),
        (
            b'{"raw":"{\\"lat\\":40.4168,\\"ip\\":\\"fe80::1\\"}"}',
            b'{"raw":"{\\"lat\\":40.4,\\"ip\\":\\"fe80::\\"}"}',
        ),
    ],
)
def test_what_tells_a_place_is_coarse(original: bytes, coarse: bytes) -> None:
    assert coarsened(original) == coarse
    assert coarsened(coarse) == coarse


@pytest.mark.parametrize(
    "original",
    [
        b'{"price":40.4168,"at":"2026-03-02T10:15:30.250Z","time":"10:15:30"}',
        b'{"userAgent":"Chrome/120.0.6099.1","mac":"aa:bb:cc:dd:ee:ff","ratio":"1.50:2.75"}',
        b'{"geo":"Madrid","lat":null,"ship":"83","zip":"28001"}',
        b"\xff\xfe\x00 not JSON at all",
        b"",
    ],
)
def test_the_rest_stays_byte_for_byte(original: bytes) -> None:
    assert coarsened(original) == original


def test_members_that_tell_a_place_are_dropped_at_any_depth() -> None:
    told = {"ip": 1, "a": [{"geo": {"city": "x"}, "b": 2}], "c": {"client_ip": "", "d": None}}
    assert without_locations(told) == {"a": [{"b": 2}], "c": {"d": None}}
