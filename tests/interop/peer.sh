#!/usr/bin/env bash
# A Postfix below FOLDER that takes mail for away.test and accounts, and a Dovecot that checks their
# passwords and takes mail over LMTP.
#   peer.sh FOLDER; with ANNA, PASSWORD, and the ports SCRAM, PLAIN, LOGIN (Postfix) and LMTP (Dovecot)
set -eu
folder=$1
etc=$folder/etc
mkdir -p "$etc" "$folder/queue" "$folder/data" "$folder/mail" "$folder/run"
# Their own users have to pass through.
chmod 755 "$folder" "$etc"
chmod 777 "$folder/run"
chown postfix "$folder/data"
chown nobody:nogroup "$folder/mail"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.away.test \
    -keyout "$etc/key.pem" -out "$etc/cert.pem" 2> /dev/null
cat > "$etc/dovecot.conf" <<CF
protocols = lmtp
base_dir = $folder/run/dovecot
state_dir = $folder/run/state
log_path = $folder/dovecot.log
ssl = no
auth_mechanisms = plain login scram-sha-256
mail_location = maildir:$folder/mail/%u
first_valid_uid = 1
first_valid_gid = 1
passdb {
  driver = passwd-file
  args = username_format=%u $etc/passwd
}
userdb {
  driver = passwd-file
  args = username_format=%u $etc/passwd
}
service auth {
  unix_listener $folder/run/auth {
    mode = 0666
  }
}
service lmtp {
  unix_listener $folder/run/lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = $LMTP
  }
}
CF
ids=$(id -u nobody):$(id -g nobody)
printf '%s:{PLAIN}%s:%s::%s\n' "$ANNA" "$PASSWORD" "$ids" "$folder/mail" > "$etc/passwd"
printf '%s:{PLAIN}x:%s::%s\n' carl@lmtp.test "$ids" "$folder/mail" dora@lmtp.test "$ids" "$folder/mail" \
    carl@tcp.test "$ids" "$folder/mail" >> "$etc/passwd"
cat > "$etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.away.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = away.test far.test
virtual_mailbox_base = $folder/mail
virtual_mailbox_maps = inline:{ {you@away.test=you/} {you@far.test=far/} }
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
virtual_minimum_uid = 1
mynetworks =
smtpd_tls_cert_file = $etc/cert.pem
smtpd_tls_key_file = $etc/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $folder/run/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
maillog_file = $folder/log
maillog_file_prefixes = $folder
import_environment = MAIL_CONFIG
CF
# Without a chroot.
awk '/^[a-z]/ && !/^smtp  *inet / { $5 = "n"; print }' /usr/share/postfix/master.cf.dist > "$etc/master.cf"
grep -q '^postlog ' "$etc/master.cf" || echo 'postlog unix-dgram n - n - 1 postlogd' >> "$etc/master.cf"
needs="-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
cat >> "$etc/master.cf" <<CF
127.0.0.1:$MX inet n - n - - smtpd
127.0.0.1:$SCRAM inet n - n - - smtpd $needs -o smtpd_sasl_mechanism_filter=scram-sha-256,plain
127.0.0.1:$PLAIN inet n - n - - smtpd $needs -o smtpd_sasl_mechanism_filter=plain
127.0.0.1:$LOGIN inet n - n - - smtpd $needs -o smtpd_tls_wrappermode=yes -o smtpd_sasl_mechanism_filter=login
CF
dovecot -c "$etc/dovecot.conf"
postfix -c "$etc" start || { cat "$folder/log" >&2; exit 1; }
