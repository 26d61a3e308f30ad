"""Phone numbers: kept as E.164 (+8613800138000), read as people write them, shown whole or masked."""

import phonenumbers
from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal

# Where a number without a country code is at home, by the programme's currency.
_REGION_OF_CURRENCY = {
    "CNY": "CN",
    "HKD": "HK",
    "TWD": "TW",
    "MOP": "MO",
    "SGD": "SG",
    "MYR": "MY",
    "JPY": "JP",
    "GBP": "GB",
    "USD": "US",
}
_DEFAULT_REGION = "CN"
_LONGEST_INPUT = 40


class InvalidPhone(MembersRefusal):
    """The text is no phone number that exists."""

    code = "invalid_phone"
    text = _("This is no valid phone number.")
    status = 422


def home_region(currency: str) -> str:
    """Return the region (ISO 3166, two letters) that numbers without a country code belong to."""
    return _REGION_OF_CURRENCY.get(currency, _DEFAULT_REGION)


def parse_phone(text: str, *, region: str = _DEFAULT_REGION) -> str:
    """Return a number in E.164. Raises `InvalidPhone` when no such number can exist."""
    if len(text) > _LONGEST_INPUT:
        raise InvalidPhone
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidPhone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def display_phone(phone: str, *, region: str = _DEFAULT_REGION) -> str:
    """Return an E.164 number as people at home in `region` write it: 138 0013 8000, and +852 6123 4567 for others."""
    number = phonenumbers.parse(phone)
    is_local = number.country_code == phonenumbers.country_code_for_region(region)
    style = phonenumbers.PhoneNumberFormat.NATIONAL if is_local else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


def mask_phone(phone: str, *, region: str = _DEFAULT_REGION) -> str:
    """Return an E.164 number with its middle hidden: 138****8000, and +852 61****67 for numbers from elsewhere."""
    number = phonenumbers.parse(phone)
    digits = phonenumbers.national_significant_number(number)
    head, tail = (3, 4) if len(digits) >= 10 else (2, 2)
    masked = f"{digits[:head]}****{digits[-tail:]}"
    if number.country_code == phonenumbers.country_code_for_region(region):
        return masked
    return f"+{number.country_code} {masked}"
