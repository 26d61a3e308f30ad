"""What importing members refuses as a whole. What is wrong with a single row stands in `values`."""

from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal


class ImportTooLarge(MembersRefusal):
    """The file is larger than one import takes."""

    code = "import_too_large"
    status = 422
    text = _("The file has %(megabytes)s MB; at most %(most)s MB can be read at once.")


class ImportTooLong(MembersRefusal):
    """The file has more rows than one import takes."""

    code = "import_too_long"
    status = 422
    text = _("The file has more than %(most)s rows. Please split it.")


class ImportHasTooManyColumns(MembersRefusal):
    """Nobody maps so many columns."""

    code = "import_has_too_many_columns"
    status = 422
    text = _("The file has %(found)s columns; at most %(most)s can be read.")


class FieldMappedTwice(MembersRefusal):
    """Two columns are said to mean the same."""

    code = "field_mapped_twice"
    status = 422
    text = _("Two columns are both read as “%(field)s”: %(columns)s.")


class NothingNamesMembers(MembersRefusal):
    """Without a column that names people, nobody can be recognised."""

    code = "nothing_names_members"
    status = 422
    text = _("Say which column holds the phone, the e-mail address or the number in the other system.")


class SystemNameInvalid(MembersRefusal):
    """The name of the other system is no short word."""

    code = "system_name_invalid"
    status = 422
    text = _(
        "The short name of the other system has up to 30 small letters, digits, dots and hyphens, such as old-pos."
    )


class ImportIsUnderWay(MembersRefusal):
    """The import is being checked, waits for approval, or was carried out."""

    code = "import_is_under_way"
    text = _("This import is being checked, waits for approval, or was carried out already.")


class ImportIsNotChecked(MembersRefusal):
    """Only an import that was checked can be proposed."""

    code = "import_is_not_checked"
    text = _("The file has to be checked first.")


class ImportHasNothingToDo(MembersRefusal):
    """No row of it would change anything."""

    code = "import_has_nothing_to_do"
    text = _("No row of this file can be carried out.")


class ImportFileGone(MembersRefusal):
    """The file and its rows are no longer kept."""

    code = "import_file_gone"
    status = 410
    text = _("The file and its rows are no longer kept. Please read it again.")
