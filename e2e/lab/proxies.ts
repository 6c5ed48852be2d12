/**
 * Debian's own proxies, as networks have them: their configuration and the command that runs them in the foreground.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Certificates } from './certificates.ts'
import { BRIDGE_NAME, PROXY_PORT } from './layout.ts'
import type { Proxy } from './networks.ts'
import { TOOLS } from './tools.ts'

/** Under /usr/share: what it answers when something is wrong, pictures, and the types of files. */
const SQUID_DATA = ['squid-langpack/templates', 'squid/icons', 'squid/mime.conf']

/** @param folder of this proxy alone. @param bridge address of the bridge. @returns the command. */
export function prepareProxy(kind: Proxy, folder: string, certificates: Certificates, bridge: string): readonly string[] {
  const file = join(folder, 'proxy.conf')
  mkdirSync(folder, { recursive: true })
  switch (kind) {
    case 'intercepting':
      // It runs as nobody, who may not be let into the folder that the project stands in.
      for (const data of SQUID_DATA) cpSync(join(TOOLS, 'root/usr/share', data), join(folder, basename(data)), { recursive: true })
      writeFileSync(file, squid(folder, certificates))
      execFileSync('chown', ['-R', 'nobody', folder])
      // Every squid of a machine would take the same shared memory; this one's own goes with its mounts, which `ip netns exec` gives each process.
      return ['sh', '-c', `mount -t tmpfs lab /dev/shm && exec squid -N -f ${file}`]
    case 'connect':
      writeFileSync(file, tinyproxy())
      return ['tinyproxy', '-d', '-c', file]
    case 'reverse':
      writeFileSync(file, nginx(folder, certificates, bridge))
      return ['nginx', '-c', file, '-p', folder]
  }
}

/**
 * It knows no upgrades: http_upgrade_request_protocols is left as squid has it, which drops them. A school's makes a certificate for every name; here one name
 * is asked for, so its certificate is there already.
 */
function squid(folder: string, { school, authority }: Certificates): string {
  return `
http_port ${PROXY_PORT} ssl-bump cert=${school} generate-host-certificates=off
tls_outgoing_options cafile=${authority}
acl port443 port 443
acl CONNECT method CONNECT
http_access deny CONNECT !port443
http_access allow all
ssl_bump bump all
cache deny all
cache_effective_user nobody
pid_filename ${folder}/squid.pid
cache_log ${folder}/cache.log
access_log stdio:${folder}/access.log
coredump_dir ${folder}
error_directory ${folder}/templates
icon_directory ${folder}/icons
mime_table ${folder}/mime.conf
visible_hostname proxy.lab
shutdown_lifetime 1 second
max_filedescriptors 4096
`
}

function tinyproxy(): string {
  return `
Port ${PROXY_PORT}
Listen 0.0.0.0
Timeout 600
MaxClients 200
ConnectPort 443
`
}

/** As it comes without a thought of WebSockets: no Upgrade header is passed on, and answers are held back until a buffer is full. */
function nginx(folder: string, { cert, key, authority }: Certificates, bridge: string): string {
  return `
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 512; }
http {
  access_log ${folder}/access.log;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxied;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  include /etc/nginx/mime.types;
  server {
    listen 443 ssl;
    server_name ${BRIDGE_NAME};
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    location / {
      proxy_pass https://${bridge}:443;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_ssl_server_name on;
      proxy_ssl_name ${BRIDGE_NAME};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${authority};
    }
  }
}
`
}
