#!/bin/sh
# Writes the secrets that docker-compose.yml reads, each a random value of 256 bit, into ./secrets (or the folder named).
# Never overwrites: a new database password would lock the service out of its own database.
set -eu

target=${1:-secrets}

random_hex() {
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'
}

write() {
    printf '%s' "$2" >"$target/$1"
    # Compose mounts the file with its mode, and the containers run as other users: readable to all inside a folder
    # that nobody but its owner may enter.
    chmod 444 "$target/$1"
}

if [ -e "$target" ]; then
    echo "make-secrets: $target is there already; remove it first if nothing uses its passwords any more." >&2
    exit 1
fi
mkdir -m 700 "$target"

postgres_password=$(random_hex)
valkey_password=$(random_hex)
write postgres_password "$postgres_password"
write database_url "postgresql+psycopg://pneumoscreen:$postgres_password@postgres:5432/pneumoscreen"
write valkey_password "$valkey_password"
write redis_url "redis://:$valkey_password@valkey:6379/0"
write secret_key "$(random_hex)"
echo "wrote $target/: keep a copy with your backups, and never in version control."
