# Verifies every message of a folder with OpenDKIM. Runs in a network and a mount namespace of its own.
set -eu
folder=$1
ip link set lo up
echo "nameserver 127.0.0.1" > "$folder/resolv.conf"
mount --bind "$folder/resolv.conf" /etc/resolv.conf
python3 "$(dirname "$0")/txt_server.py" "$folder/zone" > "$folder/ready" &
server=$!
trap 'kill $server' EXIT
tries=0
until [ -s "$folder/ready" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ]
    sleep 0.1
done
count=0
for message in "$folder"/*.eml; do
    # It says nothing where a message is fine.
    said=$(/usr/sbin/opendkim-testmsg < "$message" 2>&1) || { echo "$message: $said"; exit 1; }
    [ -z "$said" ] || { echo "$message: $said"; exit 1; }
    # And it did look: a message with another word in it is not fine.
    if sed 's/^From:/From: x/' "$message" | /usr/sbin/opendkim-testmsg > /dev/null 2>&1; then
        echo "$message: a changed message passes"
        exit 1
    fi
    count=$((count + 1))
done
echo "$count verified"
