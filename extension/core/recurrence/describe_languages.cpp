// The languages that describe() speaks.
#include "core/recurrence/describe.hpp"

namespace nexus::recurrence {

namespace {

std::string english_nth(int n) {
  if (n == -1) return "the last {noun}";
  int value = n < 0 ? -n : n, rest = value % 10;
  bool teen = value / 10 % 10 == 1;
  std::string_view ending = teen || rest == 0 || rest > 3 ? "th" : rest == 1 ? "st" : rest == 2 ? "nd" : "rd";
  return "the " + std::to_string(value) + std::string(ending) + (n < 0 ? " to last {noun}" : " {noun}");
}

std::string german_nth(int n) {
  if (n == -1) return "letzten {noun}";
  if (n == -2) return "vorletzten {noun}";
  return std::to_string(n < 0 ? -n : n) + (n < 0 ? ".-letzten {noun}" : ". {noun}");
}

std::string spanish_nth(int n) {
  if (n == -1) return "el último {noun}";
  if (n == -2) return "el penúltimo {noun}";
  int value = n < 0 ? -n : n;
  std::string ordinal = std::to_string(value) + (value == 1 || value == 3 ? ".er" : ".º");
  return "el " + ordinal + " {noun}" + (n < 0 ? " desde el final" : "");
}

std::string french_nth(int n) {
  if (n == -1) return "le dernier {noun}";
  if (n == -2) return "l’avant-dernier {noun}";
  int value = n < 0 ? -n : n;
  return "le " + std::to_string(value) + (value == 1 ? "er" : "e") + " {noun}" + (n < 0 ? " avant la fin" : "");
}

std::string japanese_nth(int n) {
  if (n == -1) return "最後の{noun}";
  return (n < 0 ? "最後から" : "") + std::to_string(n < 0 ? -n : n) + "番目の{noun}";
}

}  // namespace

const std::vector<Language> &languages() {
  static const std::vector<Language> kLanguages = {
      {.code = "en",
       .weekdays = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
       .months = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December"},
       .every = {"every second", "every minute", "every hour", "every day", "every week", "every month", "every year"},
       .every_nth = {"every {n} seconds", "every {n} minutes", "every {n} hours", "every {n} days", "every {n} weeks",
                     "every {n} months", "every {n} years"},
       .nth = english_nth,
       .day = "day",
       .instance = "of these times",
       .on_days = "on {list}",
       .on_workdays = "on Monday to Friday",
       .each_weekday = "{noun}",
       .of_month = "{list} of the month",
       .of_year = "{list} of the year",
       .in_months = "in {list}",
       .in_weeks = "in calendar week {list}",
       .at_times = "at {list}",
       .in_hours = "in hour {list}",
       .in_minutes = "at minute {list}",
       .in_seconds = "at second {list}",
       .only = "taking only {list}",
       .until = "until {list}",
       .once = "once",
       .times = "{n} times",
       .week_start = "weeks beginning on {noun}",
       .skip_forward = "a missing day moving to the next",
       .skip_backward = "a missing day moving to the one before",
       .separator = ", ",
       .last_separator = " and ",
       .join = " ",
       .join_end = ", "},
      {.code = "de",
       .weekdays = {"Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"},
       .months = {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
                  "November", "Dezember"},
       .every = {"jede Sekunde", "jede Minute", "jede Stunde", "jeden Tag", "jede Woche", "jeden Monat", "jedes Jahr"},
       .every_nth = {"alle {n} Sekunden", "alle {n} Minuten", "alle {n} Stunden", "alle {n} Tage", "alle {n} Wochen",
                     "alle {n} Monate", "alle {n} Jahre"},
       .nth = german_nth,
       .day = "Tag",
       .instance = "dieser Termine",
       .on_days = "am {list}",
       .on_workdays = "von Montag bis Freitag",
       .each_weekday = "{noun}",
       .of_month = "{list} des Monats",
       .of_year = "{list} des Jahres",
       .in_months = "im {list}",
       .in_weeks = "in Kalenderwoche {list}",
       .at_times = "um {list}",
       .in_hours = "in Stunde {list}",
       .in_minutes = "zu Minute {list}",
       .in_seconds = "zu Sekunde {list}",
       .only = "nur am {list}",
       .until = "bis {list}",
       .once = "einmal",
       .times = "{n}-mal",
       .week_start = "Wochen ab {noun}",
       .skip_forward = "ein fehlender Tag rückt auf den nächsten",
       .skip_backward = "ein fehlender Tag rückt auf den vorigen",
       .separator = ", ",
       .last_separator = " und ",
       .join = " ",
       .join_end = ", "},
      {.code = "es",
       .weekdays = {"lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"},
       .months = {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
                  "noviembre", "diciembre"},
       .every = {"cada segundo", "cada minuto", "cada hora", "cada día", "cada semana", "cada mes", "cada año"},
       .every_nth = {"cada {n} segundos", "cada {n} minutos", "cada {n} horas", "cada {n} días", "cada {n} semanas",
                     "cada {n} meses", "cada {n} años"},
       .nth = spanish_nth,
       .day = "día",
       .instance = "de estos momentos",
       .on_days = "{list}",
       .on_workdays = "de lunes a viernes",
       .each_weekday = "el {noun}",
       .of_month = "{list} del mes",
       .of_year = "{list} del año",
       .in_months = "en {list}",
       .in_weeks = "en la semana {list} del año",
       .at_times = "a las {list}",
       .in_hours = "en la hora {list}",
       .in_minutes = "en el minuto {list}",
       .in_seconds = "en el segundo {list}",
       .only = "solo {list}",
       .until = "hasta {list}",
       .once = "una vez",
       .times = "{n} veces",
       .week_start = "semanas desde el {noun}",
       .skip_forward = "un día que falta pasa al siguiente",
       .skip_backward = "un día que falta pasa al anterior",
       .separator = ", ",
       .last_separator = " y ",
       .join = " ",
       .join_end = ", "},
      {.code = "fr",
       .weekdays = {"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"},
       .months = {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
                  "novembre", "décembre"},
       .every = {"chaque seconde", "chaque minute", "chaque heure", "chaque jour", "chaque semaine", "chaque mois",
                 "chaque année"},
       .every_nth = {"toutes les {n} secondes", "toutes les {n} minutes", "toutes les {n} heures", "tous les {n} jours",
                     "toutes les {n} semaines", "tous les {n} mois", "tous les {n} ans"},
       .nth = french_nth,
       .day = "jour",
       .instance = "de ces moments",
       .on_days = "{list}",
       .on_workdays = "du lundi au vendredi",
       .each_weekday = "le {noun}",
       .of_month = "{list} du mois",
       .of_year = "{list} de l’année",
       .in_months = "en {list}",
       .in_weeks = "en semaine {list}",
       .at_times = "à {list}",
       .in_hours = "à l’heure {list}",
       .in_minutes = "à la minute {list}",
       .in_seconds = "à la seconde {list}",
       .only = "seulement {list}",
       .until = "jusqu’au {list}",
       .once = "une fois",
       .times = "{n} fois",
       .week_start = "semaines commençant le {noun}",
       .skip_forward = "un jour absent est reporté au suivant",
       .skip_backward = "un jour absent est avancé au précédent",
       .separator = ", ",
       .last_separator = " et ",
       .join = " ",
       .join_end = ", "},
      {.code = "ja",
       .weekdays = {"月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"},
       .months = {"1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"},
       .every = {"毎秒", "毎分", "毎時", "毎日", "毎週", "毎月", "毎年"},
       .every_nth = {"{n}秒ごと", "{n}分ごと", "{n}時間ごと", "{n}日ごと", "{n}週間ごと", "{n}か月ごと", "{n}年ごと"},
       .nth = japanese_nth,
       .day = "日",
       .instance = "該当日時",
       .on_days = "{list}",
       .on_workdays = "月曜日から金曜日",
       .each_weekday = "{noun}",
       .of_month = "その月の{list}",
       .of_year = "その年の{list}",
       .in_months = "{list}",
       .in_weeks = "第{list}週",
       .at_times = "{list}",
       .in_hours = "{list}時台",
       .in_minutes = "{list}分",
       .in_seconds = "{list}秒",
       .only = "そのうち{list}のみ",
       .until = "{list}まで",
       .once = "1回のみ",
       .times = "{n}回",
       .week_start = "週の始まりは{noun}",
       .skip_forward = "存在しない日は翌日に繰り下げ",
       .skip_backward = "存在しない日は前日に繰り上げ",
       .separator = "・",
       .last_separator = "・",
       .join = "、",
       .join_end = "、"},
  };
  return kLanguages;
}

}  // namespace nexus::recurrence
