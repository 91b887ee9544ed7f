#!/usr/bin/env bash
# A Postfix below FOLDER that hands everything to 127.0.0.1:$PORT, over TLS and with $ANNA's password.
#   postfix.sh FOLDER
set -eu
folder=$1
etc=$folder/etc
mkdir -p "$etc" "$folder/queue" "$folder/data"
# Postfix' own users have to pass through.
chmod 755 "$folder" "$etc"
chown postfix "$folder/data"
cp "$CERTIFICATE" "$etc/trusted.pem"
chmod 644 "$etc/trusted.pem"
(umask 077 && printf '[localhost]:%s %s:%s\n' "$PORT" "$ANNA" "$PASSWORD" > "$etc/passwords")
cat > "$etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = laptop.home.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
relayhost = [localhost]:$PORT
smtp_host_lookup = native
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:$etc/passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_tls_security_options = noanonymous
smtp_tls_security_level = verify
smtp_tls_CAfile = $etc/trusted.pem
smtp_tls_verify_cert_match = hostname
maillog_file = $folder/log
maillog_file_prefixes = $folder
import_environment = MAIL_CONFIG
CF
# Without a chroot, and without a listener of its own.
sed -e '/^smtp  *inet /d' -e '/^#/d' \
    -e 's/^\([a-z-]* *\(unix\|unix-dgram\|fifo\) *[^ ]* *[^ ]*  *\)[y-]\( .*\)/\1n\3/' \
    /usr/share/postfix/master.cf.dist > "$etc/master.cf"
grep -q '^postlog ' "$etc/master.cf" || echo 'postlog unix-dgram n - n - 1 postlogd' >> "$etc/master.cf"
postfix -c "$etc" start || { cat "$folder/log" >&2; exit 1; }
