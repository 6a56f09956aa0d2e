"""What schedules mean, told again without Dalga, by going through local times one by one: Python's zoneinfo tells the
zones, dateutil's relativedelta the months. Writes the table of python-schedules.ts, of which a line is
kind|schedule|location|gap|overlap|exclude|first run|from|times, in UTC.

python3 test/job/tables/python-schedules.py > test/job/tables/python-schedules.ts
python3 test/job/tables/python-schedules.py COUNT SEED    random lines, to look for faults
"""

import random
import re
import sys
from calendar import monthrange
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

UTC = timezone.utc
TIMES = 6
# So many are looked at.
MOST = 400_000
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}


def number(text, names, base):
    return names.index(text.upper()) + base if text.upper() in names else int(text)


def expand(field, low, high, names=(), base=0):
    values = set()
    for item in field.split(","):
        item, _, step = item.partition("/")
        if item in ("*", "?"):
            first, last = low, high
        else:
            first, _, last = item.partition("-")
            first = number(first, list(names), base)
            last = number(last, list(names), base) if last else first
        values.update(range(first, last + 1, int(step or 1)))
    return values


def last_of(day):
    return monthrange(day.year, day.month)[1]


def weekday(day):
    return (day.weekday() + 1) % 7


def nearest_weekday(day, wanted):
    """Of the month of `day`: the working day nearest to its day `wanted`, in the same month (Quartz)."""
    if wanted > last_of(day):
        return None
    it = day.replace(day=wanted)
    if weekday(it) == 6:
        it += timedelta(days=2) if it.day == 1 else timedelta(days=-1)
    elif weekday(it) == 0:
        it += timedelta(days=-2) if it.day == last_of(it) else timedelta(days=1)
    return it.day


def in_days(field, day):
    for item in field.upper().split(","):
        if item == "L":
            hit = day.day == last_of(day)
        elif item == "LW":
            hit = day.day == nearest_weekday(day, last_of(day))
        elif item.endswith("W"):
            hit = day.day == nearest_weekday(day, int(item[:-1]))
        else:
            hit = day.day in expand(item, 1, 31)
        if hit:
            return True
    return False


def in_weekdays(field, day):
    for item in field.upper().split(","):
        if "#" in item or (item.endswith("L") and item != "L"):
            name, _, nth = item.partition("#") if "#" in item else (item[:-1], "", "L")
            hit = weekday(day) == number(name, DAYS, 0) % 7
            if nth == "L":
                hit = hit and day.day + 7 > last_of(day)
            else:
                hit = hit and (day.day + 6) // 7 == int(nth)
        else:
            hit = weekday(day) in {value % 7 for value in expand(item, 0, 6, DAYS)}
        if hit:
            return True
    return False


class Cron:
    def __init__(self, text, seconds="0"):
        fields = NICKNAMES.get(text.lower(), text).split()
        self.whole_minutes = len(fields) == 5
        if self.whole_minutes:
            fields.insert(0, seconds)
        self.hour = fields[2]
        self.clock = [expand(fields[0], 0, 59), expand(fields[1], 0, 59), expand(fields[2], 0, 23)]
        self.day, self.month, self.weekday = fields[3], expand(fields[4], 1, 12, MONTHS, 1), fields[5]

    def has_day(self, day):
        if day.month not in self.month:
            return False
        free = [field in ("*", "?") for field in (self.day, self.weekday)]
        hits = [in_days(self.day, day), in_weekdays(self.weekday, day)]
        if all(free):
            return True
        if any(free):
            return hits[free.index(False)]
        return any(hits)

    def times(self, day):
        if not self.has_day(day):
            return
        for hour in sorted(self.clock[2]):
            for minute in sorted(self.clock[1]):
                for second in sorted(self.clock[0]):
                    yield day.replace(hour=hour, minute=minute, second=second)

    def has(self, local):
        return (
            local.hour in self.clock[2] and local.minute in self.clock[1] and local.second in self.clock[0]
            and self.has_day(local)
        )


def instants(local, zone, gap, overlap):
    """When clocks show a local time, which has no zone."""
    found = []
    for fold in (0, 1):
        instant = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local and instant not in found:
            found.append(instant)
    if found:
        return found[:1] if overlap == "first" else found
    if gap == "skip":
        return []
    # The first instant after the change: between what the two offsets make of the local time.
    ends = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    low, high = int(ends[0].timestamp()), int(ends[1].timestamp())
    offset = datetime.fromtimestamp(high, zone).utcoffset()
    while low < high:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle + 1
    return [datetime.fromtimestamp(low, UTC)]


class Exclusion:
    def __init__(self, text, zone):
        self.zone = zone
        self.entries = []
        for entry in filter(None, text.split(";")):
            if re.match(r"\d{4}-", entry):
                first, _, last = entry.partition("/")
                self.entries.append((first, last or first))
            else:
                self.entries.append(Cron(entry, "*"))

    def has(self, instant):
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        day = local.date().isoformat()
        return any(
            entry.has(local) if isinstance(entry, Cron) else entry[0] <= day <= entry[1] for entry in self.entries
        )


def parse_duration(text):
    parts = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return years * 12 + months, timedelta(
        weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds
    )


def cron_times(text, zone, gap, overlap, start, window):
    cron = Cron(text)
    elapsed = cron.hour.startswith("*")
    gap = gap or ("skip" if elapsed else "run")
    overlap = overlap or ("both" if elapsed else "first")
    day = start.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0) - timedelta(days=2)
    for _ in range(window):
        # A change moves times by less than two days: sort within them.
        for local in cron.times(day):
            yield from instants(local, zone, gap, overlap)
        day += timedelta(days=1)


def calendar_times(text, zone, gap, overlap, first, start):
    months, rest = parse_duration(text)
    local = first.astimezone(zone).replace(tzinfo=None)
    yield first
    steps = 0
    while True:
        steps += 1
        try:
            later = local + relativedelta(months=steps * months) + steps * rest
        except (OverflowError, ValueError):
            return
        if later < start.astimezone(zone).replace(tzinfo=None) - timedelta(days=3):
            continue
        yield from (it for it in instants(later, zone, gap or "run", overlap or "first") if it > first)
    # With overlap=both the first local time itself may come once more.


def fixed_times(text, first):
    step = timedelta(seconds=int(text)) if text.isdigit() else parse_duration(text)[1]
    time = first
    while True:
        yield time
        time += step


def answer(kind, text, location, gap, overlap, exclude, first, start, window=9000):
    zone = ZoneInfo(location or "UTC")
    excluded = Exclusion(exclude, zone)
    begin = max(start, first)
    if kind == "cron":
        source = cron_times(text, zone, gap, overlap, begin, window)
    elif kind == "calendar":
        source = calendar_times(text, zone, gap, overlap, first, begin)
    else:
        source = fixed_times(text, first)
    found = set()
    limit = None
    left = MOST
    if kind == "calendar" and overlap == "both":
        local = first.astimezone(zone).replace(tzinfo=None)
        found.update(it for it in instants(local, zone, "run", "both") if it > begin and not excluded.has(it))
    for time in source:
        left -= 1
        if left == 0:
            break
        if time >= begin and not excluded.has(time):
            found.add(time)
        # Two days further nothing can come before what is there.
        if len(found) >= TIMES:
            limit = limit or sorted(found)[TIMES - 1] + timedelta(days=2)
            if time > limit:
                break
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in sorted(found)[:TIMES]]


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else datetime(1970, 1, 1, tzinfo=UTC)


def line(kind, text, location="UTC", gap="", overlap="", exclude="", first="", start="", window=9000):
    times = answer(kind, text, location, gap, overlap, exclude, utc(first), utc(start), window)
    return "|".join([kind, text, location, gap, overlap, exclude, first, start, ",".join(times)])


ZONES = {
    # Each with moments before its clocks change, or may have changed.
    "America/New_York": ["2026-03-07T12:00", "2026-10-31T12:00", "2038-03-13T12:00", "2100-11-06T12:00"],
    "Europe/Istanbul": ["2015-03-28T12:00", "2015-11-07T12:00", "2016-03-26T12:00", "2038-01-18T12:00"],
    "Australia/Lord_Howe": ["2026-04-03T20:00", "2026-10-02T20:00", "2038-10-01T20:00", "2100-04-02T20:00"],
    "Asia/Kathmandu": ["1985-12-31T12:00", "2026-03-29T12:00", "2100-02-27T12:00"],
    "UTC": ["2028-02-27T12:00", "2038-01-18T12:00", "2100-02-27T12:00"],
}
CRONS = [
    "30 2 * * *", "15,45 1-2 * * *", "0 0 * * *", "*/20 2 * * *", "0 * * * *", "*/25 */3 * * *", "0 3 * * SUN",
    "50 59 1-3 * * *", "*/40 30 2 * * *",
]
DATES = [
    "0 12 31 * *", "0 12 29 2 *", "0 12 L * *", "0 12 LW * *", "0 12 15W * *", "0 12 1W * *", "0 12 31W * *",
    "0 12 * * 5L", "0 12 * * MON#5", "0 12 * * SUN#1", "0 12 13 * 5", "0 12 ? * 6-7", "0 12 1-10/3 JAN,jun *",
    "0 12 29W 2 *", "0 12 L,15 * MON#2", "0 12 * * 3#L", "@yearly", "@monthly", "@weekly", "@daily", "@hourly",
    "5 4 3 2 1 *", "0 12 */10 */5 *",
]
DURATIONS = {
    "P1D": ["2026-03-06T07:30", "2026-10-30T05:30", "2026-10-02T15:40", "2026-04-03T14:45", "2015-11-06T01:30"],
    "P1M": ["2026-01-31T07:30", "2027-10-31T23:30", "2099-12-31T12:00", "2026-02-08T07:30"],
    "P1Y": ["2024-02-29T12:00", "2096-02-29T23:59:59", "2037-01-19T03:14:08"],
    "P1W": ["2026-02-22T07:30", "2038-01-12T03:14:07"],
    "P3M": ["2025-11-30T12:00", "2099-08-31T00:00"],
    "P1M1D": ["2026-01-31T07:30", "2100-01-29T12:00"],
    "P1Y2M10DT2H30M": ["2023-12-31T22:45"],
    "P1DT12H": ["2026-03-07T07:15", "2026-10-31T18:15"],
    "P1DT1H": ["2026-03-07T06:30"],
    "P2W3D": ["2037-12-25T10:00"],
}


def table():
    for zone, moments in ZONES.items():
        for moment in moments:
            for text in CRONS:
                yield line("cron", text, zone, start=moment)
            for text in ("30 2 * * *", "*/20 1-2 * * *", "45 1 * * *", "15 */2 * * *"):
                for gap, overlap in (("skip", "first"), ("skip", "both"), ("run", "first"), ("run", "both")):
                    yield line("cron", text, zone, gap, overlap, start=moment)
    for text in DATES:
        for zone, moment in (("UTC", "2026-01-01T00:00"), ("Asia/Kathmandu", "2037-12-20T00:00"), ("America/New_York", "2099-11-01T00:00")):
            if not (text == "0 12 29W 2 *" and zone == "America/New_York"):
                yield line("cron", text, zone, start=moment, window=12000)
    for text, firsts in DURATIONS.items():
        for first in firsts:
            for zone in ZONES:
                yield line("calendar", text, zone, first=first, start=first)
            for gap, overlap in (("skip", "first"), ("run", "both"), ("skip", "both")):
                yield line("calendar", text, "America/New_York", gap, overlap, first=first, start=first)
    # Long after the first run, from which each is counted.
    for text, first in (("P1M", "1970-01-31T12:00"), ("P1D", "1970-01-01T05:30"), ("P1Y", "1972-02-29T12:00")):
        for zone in ZONES:
            for moment in ("2038-01-19T03:14:07", "2100-02-27T00:00"):
                yield line("calendar", text, zone, first=first, start=moment)
    for text, first in (("5400", "2026-03-07T00:10"), ("PT36H", "2026-10-30T06:00"), ("86400", "2038-01-17T03:14:07"), ("PT1H30M5S", "2099-12-31T23:59:59")):
        for exclude in ("", "2026-03-08;* 0-5 * * *", "* * * * SAT,SUN;2100-01-01/2100-01-05", "31-59 * * * *"):
            yield line("interval", text, "America/New_York" if exclude else "UTC", exclude=exclude, first=first, start=first)
    for zone, moments in ZONES.items():
        for moment in moments[:3]:
            for text, exclude in (
                ("*/10 * * * *", "* 2 * * *;*/20 3 * * *"),
                ("30 2 * * *", "* 3 * * *"),
                ("*/30 * * * *", "* 0-22 * * *;2026-03-08;2026-11-01"),
                ("0 */4 * * *", "* * * * 0"),
                ("15 1 * * *", "* * 28-31 * *"),
                ("*/6 * * * * *", "1-29 * * * * *;*/4 * * * *;* 2-19 * * *"),
            ):
                yield line("cron", text, zone, exclude=exclude, start=moment)
            yield line("calendar", "P1D", zone, exclude="* * * * MON;2028-02-29", first=moment, start=moment)
            yield line("calendar", "P1M", zone, exclude="2026-04-30/2026-06-15;* * * 2 *", first=moment, start=moment)


def drawn(count, seed):
    """Random ones, to look for faults."""
    draw = random.Random(seed)
    zones = [zone for zone in ZONES if zone != "UTC"] + ["UTC", "Europe/Berlin", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran", "Pacific/Chatham", "America/St_Johns", "Africa/Cairo", "Asia/Gaza", "Antarctica/Troll", "America/Nuuk"]

    def field(low, high):
        kind = draw.random()
        one = lambda: draw.randint(low, high)
        if kind < 0.3:
            return "*"
        if kind < 0.55:
            return str(one())
        if kind < 0.7:
            return f"{one()},{one()}"
        if kind < 0.85:
            return f"*/{draw.randint(2, 9)}"
        first, last = sorted((one(), one()))
        return f"{first}-{last}" if kind < 0.93 else f"{first}-{last}/{draw.randint(1, 5)}"

    def cron(six=True):
        clock = [field(0, 59), field(0, 23)]
        if six and draw.random() < 0.2:
            clock.insert(0, field(0, 59))
        day = draw.choice([field(1, 31), "*", "*", "L", "LW", f"{draw.randint(1, 31)}W", "?", "1,L"])
        week = draw.choice([field(0, 7), "*", "*", "*", f"{draw.randint(0, 7)}L", f"{draw.choice(DAYS)}#{draw.randint(1, 5)}", "MON-FRI", "?"])
        if "L" in week and "L" in day and draw.random() < 0.5:
            day = "*"
        return " ".join(clock + [day, draw.choice(["*", "*", field(1, 12), "MAR,OCT,NOV"]), week])

    while count > 0:
        zone = draw.choice(zones)
        base = datetime(draw.choice([1999, 2011, 2015, 2016, 2024, 2026, 2027, 2038, 2050, 2100]), draw.randint(1, 12), draw.randint(1, 28), draw.randint(0, 23), draw.choice([0, 30, 15, 7]))
        here = ZoneInfo(zone)
        # Near a change, often.
        if draw.random() < 0.7:
            for _ in range(370):
                before = base.replace(tzinfo=UTC).astimezone(here).utcoffset()
                after = (base + timedelta(days=1)).replace(tzinfo=UTC).astimezone(here).utcoffset()
                if before != after:
                    break
                base += timedelta(days=1)
        start = base.isoformat(timespec="minutes")
        gap, overlap = draw.choice(["", "", "skip", "run"]), draw.choice(["", "", "first", "both"])
        exclude = "" if draw.random() < 0.6 else ";".join(
            draw.choice([cron(False), "* 2 * * *", "* 0-22 * * *", base.date().isoformat(), f"{(base.date() - timedelta(days=1)).isoformat()}/{(base.date() + timedelta(days=3)).isoformat()}", "*/2 * * * *"])
            for _ in range(draw.randint(1, 2)))
        kind = draw.choice(["cron", "cron", "calendar", "interval"])
        if kind == "cron":
            text, first = cron(), ""
        elif kind == "calendar":
            text = draw.choice(["P1D", "P1M", "P1Y", "P1W", "P1DT1H", "P1DT12H", "P1M1D", "P2M", "P13D", "P1DT10M"])
            first = (base - timedelta(days=draw.choice([0, 1, 2, 40, 400]), minutes=draw.choice([0, 30, 37, 600]))).isoformat(timespec="minutes")
        else:
            text, first = draw.choice(["60", "600", "3600", "5400", "86400", "PT7H"]), base.isoformat(timespec="minutes")
        yield kind, text, zone, gap if kind != "interval" else "", overlap if kind != "interval" else "", exclude, first, start
        count -= 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for case in drawn(int(sys.argv[1]), int(sys.argv[2])):
            kind, text, zone, gap, overlap, exclude, first, start = case
            try:
                print(line(kind, text, zone, gap, overlap, exclude, first, start, 2500), flush=True)
            except (OverflowError, ValueError):
                pass
    else:
        lines = list(table())
        print("/** Made with python-schedules.py, which says what a line is. */")
        print("export const PYTHON_SCHEDULES = `")
        print("\n".join(lines))
        print("`;")
