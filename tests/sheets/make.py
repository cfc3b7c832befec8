"""Makes the sheets of this folder: the same 40 shots as people and programs write them.

    python3 -m venv v && v/bin/pip install openpyxl xlsxwriter odfpy
    v/bin/python make.py            # soffice (LibreOffice) has to be there, too

The tests read only what is kept here. `quirks.*` holds what spreadsheets do to tables, made on purpose, a sheet each.
"""

import csv
import datetime
import pathlib
import subprocess
import tempfile

import openpyxl
import xlsxwriter
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

HERE = pathlib.Path(__file__).parent
SUBJECTS = ["A red fox", "Ein alter Leuchtturmwärter", "Un bateau en papier", "Two astronauts, 5\" apart", "A \"brass\" owl"]
DEEDS = ["crosses a frozen river", "turns to the camera;\nslowly", "drifts through fog", "dances, in the rain"]
ENGLISH = ["ID", "Prompt", "Duration", "Mode", "Generate Audio", "Strength", "x_scene"]
GERMAN = ["Nr.", "Beschreibung", "Sekunden", "Qualität", "Ton", "Stärke", "x_scene"]
FRENCH = ["Plan", "Description", "Durée", "Qualité", "Son", "Force", "x_scene"]


def shots():
    for n in range(40):
        prompt = f"{SUBJECTS[n % 5]} {DEEDS[n // 5 % 4]}, take {n:02}"
        yield f"s{n:03}", prompt, 3 + n % 13, n % 3 == 0, n % 4 == 0, [0, 0.5, 0.25, 1, 0.125][n % 5], n // 10 + 1


def write_csv(name, delimiter, header, row, mark):
    with open(HERE / name, "w", newline="", encoding="utf-8-sig" if mark else "utf-8") as file:
        out = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        out.writerow(header)
        out.writerows(row(*shot) for shot in shots())


def comma(number):
    return str(number).replace(".", ",")


def text_files():
    write_csv("shots.en.csv", ",", ENGLISH,
              lambda i, p, d, pro, a, s, x: [i, p, d, "Pro" if pro else "Standard", "yes" if a else "no", s, x], False)
    write_csv("shots.de.csv", ";", GERMAN,
              lambda i, p, d, pro, a, s, x: [i, p, f"{d} s", "Hoch" if pro else "Normal", "WAHR" if a else "FALSCH", comma(s), x], True)
    write_csv("shots.fr.csv", ";", FRENCH,
              lambda i, p, d, pro, a, s, x: [i, p, f"{d} sec.", "haute" if pro else "normale", "oui" if a else "non", comma(s), x], True)


def cells(i, p, d, pro, a, s, x):
    return [i, p, d, "pro" if pro else "standard", a, s, x]


def of_openpyxl(path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Shots"
    sheet.append(ENGLISH)
    for shot in shots():
        sheet.append(cells(*shot))
    book.create_sheet("Lists")["A1"] = "a list that nobody sees"
    book["Lists"].sheet_state = "hidden"
    book.create_sheet("Empty")
    book.save(path)


def of_xlsxwriter(path):
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Shots")
        bold = book.add_format({"bold": True})
        sheet.write(0, 0, "June trailers, as agreed", bold)
        sheet.write_row(2, 0, GERMAN, bold)
        for at, shot in enumerate(shots()):
            i, p, d, pro, a, s, x = shot
            sheet.write_row(3 + at, 0, [i, p, f"{d} Sek.", "Hoch" if pro else "Normal", a, s, x])
            if len(p) > 40:
                sheet.write_rich_string(3 + at, 1, bold, p[:5], p[5:])
        sheet.write(45, 1, "Notes: ask Ada about the fog")


def of_odfpy(path):
    document = OpenDocumentSpreadsheet()
    table = Table(name="Shots")
    for row in [ENGLISH, *(cells(*shot) for shot in shots())]:
        line = TableRow()
        for value in row:
            if isinstance(value, bool):
                cell = TableCell(valuetype="boolean", booleanvalue=str(value).lower())
            elif isinstance(value, (int, float)):
                cell = TableCell(valuetype="float", value=str(value))
            else:
                cell = TableCell(valuetype="string")
            for part in str(value).split("\n"):
                cell.addElement(P(text=part))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(str(path))


def quirks(path):
    book = openpyxl.Workbook()
    book.remove(book.active)

    def sheet(name, *rows):
        made = book.create_sheet(name)
        made.append(["id", "prompt", "duration", "strength", "x_day"])
        for row in rows:
            made.append(row)
        return made

    sheet("exact", ["a", "a fox", 10.0, 0.5, datetime.date(2026, 6, 1)], ["b", "an owl", 5, 1 / 3, 1 / 3])
    sheet("dates", ["a", "a fox", datetime.time(0, 0, 8), 0.5], ["b", datetime.date(2026, 6, 1), 5, 0.5],
          [datetime.datetime(2026, 6, 1, 12), "an owl", 5, 0.5, datetime.datetime(2026, 6, 1, 12)])
    errors = sheet("errors", ["a", "a fox", "#REF!", 0.5], ["b", "an owl", 5, 0.5, "#N/A"])
    for cell in ("C2", "E3"):
        errors[cell].data_type = "e"
    sheet("uncomputed", ["a", "a fox", "=4+1", 0.5])
    hidden = sheet("hidden rows", *([f"h{n}", f"a fox, {n}", 5, 0.5] for n in range(6)))
    for row in (3, 4, 6):
        hidden.row_dimensions[row].hidden = True
    hidden.column_dimensions["D"].hidden = True
    merged = sheet("merged", ["a", "a fox", 5, 0.5], ["b", None, 5, 0.5])
    merged.merge_cells("B2:B3")
    below = sheet("below", ["a", "a fox", 5, 0.5], [], ["b", "an owl", 5, 0.5], [None, "sum", 10])
    below["H9"] = "far away"
    below["XFD1048576"] = "as far as sheets go"
    sheet("beside", ["a", "a fox", 5, 0.5, None, None, "a note"])
    sheet("texts", ["007", "a fox", "8", "0.5"], ["8", "it's 5", 8, 1])
    blank = sheet("blank below")
    blank["A3"] = "a"
    book.save(path)


def convert(path, to, folder):
    subprocess.run(["soffice", "--headless", "--convert-to", to, "--outdir", folder, path], check=True, capture_output=True)


def main():
    text_files()
    of_openpyxl(HERE / "shots.openpyxl.xlsx")
    of_xlsxwriter(HERE / "shots.xlsxwriter.xlsx")
    of_odfpy(HERE / "shots.odfpy.ods")
    quirks(HERE / "quirks.xlsx")
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        convert(HERE / "shots.openpyxl.xlsx", "ods", folder)
        (made / "shots.openpyxl.ods").rename(HERE / "shots.libreoffice.ods")
        convert(HERE / "shots.libreoffice.ods", "xlsx", folder)
        (made / "shots.libreoffice.xlsx").rename(HERE / "shots.libreoffice.xlsx")
        convert(HERE / "shots.libreoffice.ods", "csv:Text - txt - csv (StarCalc):59,34,76", folder)
        (made / "shots.libreoffice.csv").rename(HERE / "shots.libreoffice.csv")
        convert(HERE / "quirks.xlsx", "ods", folder)
        (made / "quirks.ods").rename(HERE / "quirks.ods")


if __name__ == "__main__":
    main()
