#!/bin/sh
# What many boxes run today: a mail from the shell, piped to msmtp.
while read -r line && [ -n "$line" ]; do :; done

ask() {
    echo "GET VARIABLE $1"
    read -r answer
    answer=${answer#*\(}
    answer=${answer%\)*}
}

ask "CALLERID(num)"; number=$answer
ask "CALLERID(name)"; name=$answer
ask DIALSTATUS; status=$answer
ask VM_MESSAGEFILE
case $answer in 200*) recording= ;; *) recording=$answer ;; esac

mail() {
    echo "From: pbx@example.com"
    echo "To: $1"
    echo "Subject: Missed call: $name $number"
    echo "Date: $(date -R)"
    echo "MIME-Version: 1.0"
    if [ -z "$recording" ]; then
        printf '\nMissed call from %s <%s>: %s\n' "$name" "$number" "$status"
        return
    fi
    printf 'Content-Type: multipart/mixed; boundary=part\n\n--part\n\nVoicemail from %s <%s>\n' "$name" "$number"
    printf -- '--part\nContent-Type: audio/wav; name=voicemail.wav\nContent-Transfer-Encoding: base64\n\n'
    base64 "$recording.wav"
    echo "--part--"
}

IFS='&'
for extension in $1; do
    mail "$extension@example.com" | msmtp -C "$BENCH_MSMTPRC" -a default "$extension@example.com"
done
echo 'VERBOSE "mail sent" 1'
read -r answer
