"""The country that the office is in, as far as telephone numbers depend on it: by its time zone, else its language."""

from __future__ import annotations

import os

RUSSIA = "Anadyr Barnaul Chita Irkutsk Kamchatka Khandyga Krasnoyarsk Magadan Novokuznetsk Novosibirsk Omsk Sakhalin"
RUSSIA += " Srednekolymsk Tomsk Ust-Nera Vladivostok Yakutsk Yekaterinburg"
RUSSIA_IN_EUROPE = "Astrakhan Kaliningrad Kirov Moscow Samara Saratov Simferopol Ulyanovsk Volgograd"
KAZAKHSTAN = "Almaty Aqtau Aqtobe Atyrau Oral Qostanay Qyzylorda"
COUNTRIES = {
    **{f"Asia/{city}": "RU" for city in RUSSIA.split()},
    **{f"Europe/{city}": "RU" for city in RUSSIA_IN_EUROPE.split()},
    **{f"Asia/{city}": "KZ" for city in KAZAKHSTAN.split()},
    "W-SU": "RU",
}
"""The country of each time zone in which +7 is dialled (zone.tab of the tz database)."""
OF_A_LANGUAGE = {"ru": "RU"}
LOCALTIME = "/etc/localtime"


def guessed_country(zone: str, language: str) -> str:
    """Return the country of a time zone, empty for the system's, else of a language; empty if it is not certain."""
    zone = zone or os.environ.get("TZ", "").lstrip(":") or os.path.realpath(LOCALTIME).partition("/zoneinfo/")[2]
    if zone in COUNTRIES:
        return COUNTRIES[zone]
    is_of_a_place = "/" in zone and not zone.startswith("Etc/")
    return "" if is_of_a_place else OF_A_LANGUAGE.get(language, "")
