"""FollowTheMoney entities (https://followthemoney.tech), one JSON object on each line.

docs/export.md has the table of what becomes what. Ids are names of records with `.` for `/`; dates
are those that FollowTheMoney can say: a day, a month or a year that holds all of the date.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detente.exporting import Export

Entity = dict[str, Any]

_CODES = """
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq
    br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cp cq cr cu cv cw cx cy cz dd de dg
    dj dk dm do dz ec ee eg eh er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp
    gq gr gs gt gu gw gy hk hm hn hr ht hu ic id ie il im in io ip iq ir is it je jm jo jp ke kg
    kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn
    mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk
    pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st
    sv sx sy sz ta tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um un us uy uz va vc ve
    vg vi vn vu wf ws xk ye yt za zm zr zw
"""  # the codes of two letters that FollowTheMoney knows
_COUNTRIES = {*_CODES.split(), "suhh", "yucs"}
_FORMER = {"su": "suhh", "yu": "yucs", "uk": "gb"}
_GENDERS = {"FEMALE": "female", "MALE": "male", "NON_BINARY": "other"}
_NAMES = {"ALIAS": "alias", "FORMER": "previousName"}
_PUBLIC = {"GOVERNMENT", "STATE_BODY", "COURT", "DETENTION_FACILITY", "INTERGOVERNMENTAL"}
_WIKIDATA = re.compile(r"Q[1-9][0-9]*")


def write(export: "Export", path: Path) -> None:
    """Writes the entities of each record, one after the other."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for selection in export.selections:
            convert = _CONVERTERS[selection.collection]
            for record in export.records(selection):
                for entity in convert(record, export):
                    line = json.dumps(entity, ensure_ascii=False, separators=(",", ":"))
                    file.write(f"{line}\n")


def _person(person: Any, export: "Export") -> Iterator[Entity]:
    first = next((name for name in person.names if name.preferred), None)
    plain = [name for name in person.names if _enum(name, "kind") not in _NAMES]
    yield _thing(
        "Person",
        person,
        name=[person.display_name or person.name, *(name.full for name in plain)],
        **_other_names(person),
        firstName=first.given if first else "",
        lastName=first.family if first else "",
        fatherName=first.patronymic if first else "",
        gender=_GENDERS.get(_enum(person, "gender"), ""),
        birthDate=_date(person.birth_date),
        deathDate=_date(person.death_date),
        birthPlace=person.birth_place.display_name,
        birthCountry=_country(person.birth_place.region_code),
        nationality=map(_country, person.nationalities),
        ethnicity=person.ethnicity,
        religion=person.religion,
        profession=person.occupations,
        position=[one.role for one in person.affiliations if not one.organization],
    )
    for one in (one for one in person.affiliations if one.organization):
        yield _entity(
            "Membership",
            f"{_id(person.name)}.affiliations.{one.id}",
            member=_id(person.name),
            organization=_id(one.organization),
            role=one.role,
            **_interval(one),
        )
    for one in (one for one in person.relations if one.person):
        family = _enum(one, "kind") == "FAMILY"
        yield _entity(
            "Family" if family else "Associate",
            f"{_id(person.name)}.relations.{one.id}",
            person=_id(person.name),
            relationship=one.description or _enum(one, "kind").lower(),
            **{"relative" if family else "associate": _id(one.person)},
        )


def _organization(organization: Any, export: "Export") -> Iterator[Entity]:
    kind = _enum(organization, "kind")
    plain = [name for name in organization.names if _enum(name, "kind") not in _NAMES]
    yield _thing(
        "PublicBody" if kind in _PUBLIC else "Company" if kind == "COMPANY" else "Organization",
        organization,
        name=[organization.display_name or organization.name, *(name.full for name in plain)],
        **_other_names(organization),
        country=_country(organization.region_code),
        parent=_id(organization.parent),
        classification=kind.lower().replace("_", " "),
    )


def _detention(detention: Any, export: "Export") -> Iterator[Entity]:
    reason = _enum(detention, "end_reason").lower().replace("_", " ")
    yield _thing(
        "Event",
        detention,
        name=detention.display_name or f"Detention of {export.label(detention.person)}",
        involved=_id(detention.person),
        country=_country(detention.region_code),
        summary=f"ended: {reason}" if reason else "",
        keywords="detention",
        **_interval(detention),
    )


def _release(release: Any, export: "Export") -> Iterator[Entity]:
    from detente import display

    yield _thing(
        "Event",
        release,
        name=release.display_name or release.name,
        date=_date(release.effective_date) or _date(release.announce_date),
        country=_country(release.region_code),
        involved=[_id(participant.person) for participant in release.participants],
        organizer=_actor(release.ordered_by) or _actor(release.announced_by),
        summary=display.value_text(release.headcount),
        keywords=["release", _enum(release, "mechanism").lower().replace("_", " ")],
    )


def _negotiation(negotiation: Any, export: "Export") -> Iterator[Entity]:
    involved = []
    for party in negotiation.parties:
        involved += [party.person, party.organization, party.represents]
    yield _thing(
        "Event",
        negotiation,
        name=negotiation.display_name or negotiation.name,
        involved=map(_id, involved),
        location=negotiation.place.display_name,
        country=_country(negotiation.place.region_code),
        keywords="negotiation",
        **_interval(negotiation),
    )


def _exchange(exchange: Any, export: "Export") -> Iterator[Entity]:
    yield _thing(
        "Event",
        exchange,
        name=exchange.display_name or exchange.name,
        involved=[actor for side in exchange.sides for actor in _actor(side.party)],
        keywords=["exchange", _enum(exchange, "status").lower().replace("_", " ")],
    )


def _event(event: Any, export: "Export") -> Iterator[Entity]:
    everybody = [*event.actors, *event.targets]
    yield _thing(
        "Event",
        event,
        name=event.display_name or event.name,
        involved=[actor for one in everybody for actor in _actor(one.actor)],
        location=event.place.display_name,
        country=_country(event.place.region_code),
        summary=event.description,
        keywords=_enum(event, "plover_event").lower(),
        **_interval(event),
    )


def _measure(measure: Any, export: "Export") -> Iterator[Entity]:
    by = measure.imposed_by
    imposer = by.organization or by.person
    for target in measure.targets:
        aimed = target.person or target.organization
        if not aimed:
            continue  # of states, sectors and things there are no entities
        yield _entity(
            "Sanction",
            f"{_id(measure.name)}.targets.{target.id}",
            entity=_id(aimed),
            authority=export.label(imposer) if imposer else by.description,
            authorityId=target.list_entry_id,
            program=measure.program or measure.display_name,
            country=_country(measure.target_region_code),
            listingDate=_date(target.listing_date),
            reason=target.reason,
            proof=_proof(measure),
            **_interval(target if target.HasField("start_date") else measure),
        )


def _source(source: Any, export: "Export") -> Iterator[Entity]:
    publisher = source.publisher.organization or source.publisher.person
    yield _thing(
        "Article",
        source,
        name=source.title or source.display_name or source.name,
        title=source.title,
        author=source.authors,
        publisher=export.label(publisher) if publisher else source.publisher.description,
        publishedAt=_date(source.publish_date),
        sourceUrl=[_url(source.url), _url(source.archive_url)],
    )


_CONVERTERS: Mapping[str, Callable[[Any, "Export"], Iterator[Entity]]] = {
    "detentions": _detention,
    "events": _event,
    "exchanges": _exchange,
    "measures": _measure,
    "negotiations": _negotiation,
    "organizations": _organization,
    "persons": _person,
    "releases": _release,
    "sources": _source,
}
COLLECTIONS = tuple(_CONVERTERS)


def _entity(schema: str, id: str, **properties: Any) -> Entity:
    """An entity with those properties that have values, each once."""
    kept = {}
    for name, given in properties.items():
        values = [given] if isinstance(given, str) else list(given)
        values = list(dict.fromkeys(text for value in values if (text := value.strip())))
        if values:
            kept[name] = values
    return {"id": id, "schema": schema, "properties": kept}


def _thing(schema: str, record: Any, **properties: Any) -> Entity:
    """An entity that stands for a record as a whole."""
    wikidata = [
        one.value
        for one in record.external_ids
        if one.authority.lower() == "wikidata" and _WIKIDATA.fullmatch(one.value)
    ]
    properties.setdefault("sourceUrl", [_url(one.url) for one in record.external_ids])
    return _entity(
        schema,
        _id(record.name),
        **properties,
        wikidataId=wikidata,
        notes=record.note,
        proof=_proof(record),
        modifiedAt=f"{record.update_time.ToDatetime():%Y-%m-%d}",
    )


def _id(name: str) -> str:
    return name.replace("/", ".")


def _proof(record: Any) -> list[str]:
    return [_id(citation.source) for citation in record.citations]


def _actor(actor: Any) -> list[str]:
    return [_id(name) for name in (actor.person, actor.organization, actor.on_behalf_of) if name]


def _other_names(record: Any) -> dict[str, list[str]]:
    return {
        place: [name.full for name in record.names if _enum(name, "kind") == kind]
        for kind, place in _NAMES.items()
    }


def _enum(message: Any, name: str) -> str:
    """The name of an enum's value; empty for none."""
    number = getattr(message, name)
    known = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number.get(number)
    return str(known.name) if number and known else ""


def _country(code: str) -> str:
    found = _FORMER.get(code.lower(), code.lower())
    return found if found in _COUNTRIES else ""


def _url(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""


def _date(date: Any) -> str:
    """The day, the month or the year that holds all of a date; empty where there is none."""
    first, last = date.earliest, date.latest
    if not first.year or first.year != last.year:
        return ""
    if not first.month or first.month != last.month:
        return f"{first.year:04}"
    month = f"{first.year:04}-{first.month:02}"
    return f"{month}-{first.day:02}" if first.day and first.day == last.day else month


def _interval(record: Any) -> dict[str, Iterable[str]]:
    return {"startDate": _date(record.start_date), "endDate": _date(record.end_date)}
