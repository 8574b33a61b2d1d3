"""Russian."""

from pbxnotify.languages.language import Language


def plural(number: int) -> int:
    """Return the form: 1, 21, 31 минута; 2 to 4, 22 to 24 минуты; 5 to 20, 25 to 30 минут."""
    if number % 10 == 1 and number % 100 != 11:
        return 0
    return 1 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 2


LANGUAGE = Language(
    weekdays=("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
    months=(
        *("января", "февраля", "марта", "апреля", "мая", "июня"),
        *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
    ),
    months_alone=(
        *("январь", "февраль", "март", "апрель", "май", "июнь"),
        *("июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь"),
    ),
    short_weekdays=("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
    short_months=("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    date="{weekday}, {day} {month} {year}\N{NO-BREAK SPACE}г., {time}",
    plural=plural,
    hours=("час", "часа", "часов"),
    minutes=("минута", "минуты", "минут"),
    seconds=("секунда", "секунды", "секунд"),
    short_units=("ч", "мин", "с"),
    decimal_mark=",",
    bytes=("Б", "КБ", "МБ", "ГБ", "ТБ"),
    missed_call="Пропущенный вызов",
    missed_call_subject="Пропущенный вызов: {caller}",
    why={
        "no answer": "Никто не ответил.",
        "hung up": "Звонивший положил трубку через {length}.",
        "hung up at once": "Звонивший сразу положил трубку.",
        "busy": "Линия была занята.",
        "declined": "Вызов отклонён.",
        "not registered": "Телефон не в сети.",
        "out of reach": "Телефон был недоступен.",
        "congestion": "Соединить не удалось.",
        "left the queue": "Звонивший не дождался ответа в очереди и положил трубку через {length}.",
        "left the queue at once": "Звонивший сразу ушёл из очереди.",
        "queue timeout": "В очереди никто не ответил.",
        "queue full": "Очередь была переполнена.",
        "queue empty": "В очереди не было операторов.",
    },
    left_message="Звонивший оставил голосовое сообщение.",
    voicemail="Голосовое сообщение",
    voicemail_subject="Голосовое сообщение: {caller}",
    new_message="Новое сообщение: {length}.",
    whose="Кто звонил",
    whom="Кому",
    when="Когда",
    rang="Ожидание",
    mailbox="Ящик",
    see_history="Открыть историю звонков",
    listen_in_history="Прослушать в истории звонков",
    private="номер скрыт",
    unknown="номер не определён",
    nobody="неизвестно",
    no_length="длительность неизвестна",
    no_mailbox="ящик неизвестен",
    silent="Звонивший ничего не сказал: сообщение пустое.",
    too_large="Запись ({megabytes} МБ) слишком велика, чтобы её прикрепить. Её можно прослушать в голосовом ящике"
    "{mailbox}.",
    missing="Запись не удалось прикрепить. Если она ещё в голосовом ящике{mailbox}, её можно прослушать там.",
    not_attached="Прослушать можно в голосовом ящике{mailbox}.",
    held="письма не уходят",
    held_text="Письма ждут, пока это не исправят:\n\n{reason}",
    failed_missed_call="письмо о пропущенном вызове не доставлено",
    failed_voicemail="письмо о голосовом сообщении не доставлено",
    failed_text="{reason}\n\nОно хранится: pbxnotify queue show {item}\n"
    "Отправить ещё раз: pbxnotify queue retry {item}\nДругие, если они есть: pbxnotify queue list",
    stuck="письма ждут слишком долго",
    stuck_text="В очереди писем: {count}, самое старое от: {moment}.\n"
    "Почему и когда следующая попытка: pbxnotify queue list",
    certificate="скоро истекает сертификат почтового сервера",
    certificate_text="Сертификат {host} действует до: {moment}.\n"
    "Если владелец сервера его не обновит, письма перестанут уходить.",
    disk_full="диск почти заполнен: {path}",
    disk_line="{path}: свободно {share} % ({free} из {size}), свободно inode: {inodes} %",
    disk_advice="Без свободного места не сохранятся записи, голосовая почта и письма в очереди.\n"
    "Удалите старые файлы или увеличьте диск.",
    disk_gone="путь недоступен: {path}",
    disk_gone_text="{path}: {error}. Подключён ли он? Иначе исправьте [system] disks в pbxnotify.ini.",
    check_text="Запустите вручную от имени пользователя Asterisk: {command}",
    fault="ошибка pbxnotify, сообщите о ней: не удаётся посмотреть на {name}",
    no_spool="очередь pbxnotify недоступна",
    no_spool_text="{reason}\nЧто не удаётся отправить сразу, теряется; за машиной никто не следит.",
    asterisk_down="Asterisk не работает",
    asterisk_down_text="{reason}\nЗвонки не проходят. Проверьте: systemctl status asterisk",
    asterisk_restarted="Asterisk перезапущен",
    asterisk_restarted_text="Запущен: {now}; предыдущий запуск: {before}.\n"
    "Если его никто не перезапускал, он упал: проверьте его журнал и journalctl -u asterisk",
    trunk_down="транк недоступен: {name}",
    trunk_text="{address}: {said}\nЗвонки через него могут не проходить. Проверьте: asterisk -rx 'pjsip show"
    " registrations', asterisk -rx 'pjsip show contacts'",
    levels={"info": "Сообщение", "warning": "Предупреждение", "critical": "Авария"},
    still="по-прежнему: {subject}",
    over="устранено: {subject}",
    since="Началось: {moment}",
    lasted="Длилось: {length}",
    several="{subject} и ещё {count}",
    test="Тестовое письмо",
    test_text="Это тестовое письмо. Так будут приходить письма о пропущенных вызовах и голосовых сообщениях.",
    sample_caller="Алексей Портнов",
    sample_alert="Диск почти заполнен",
    sample_alert_text="/var/spool/asterisk: свободно 2 % (1,2 ГБ из 60 ГБ).\n\n"
    "Скоро негде будет хранить записи и голосовые сообщения. Удалите старые или добавьте места.",
)
