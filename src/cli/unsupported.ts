/** What docker 29 has and this version hasn't: known by name, so that it is refused and never ignored. */

/** docker's commands, management commands and plugins' commands; the first word only. */
export function unsupportedCommands(): readonly string[] {
  return ("attach bake build builder buildx checkpoint commit compose config container context cp create debug diff " +
    "events exec export history image images import init inspect kill load login logout logs manifest mcp model node " +
    "offload pause plugin port ps pull push rename restart rm rmi sandbox save scout search secret service stack start " +
    "stats stop swarm system tag top trust unpause update volume wait").split(" ");
}

/** docker's commands under `network`. */
export function unsupportedNetworkCommands(): readonly string[] {
  return ["connect", "create", "disconnect", "prune", "rm"];
}

/** docker's flags before the command, long and short. */
export function unsupportedGlobalFlags(): readonly string[] {
  return "--config --context -c --host -H --log-level -l --tls --tlscacert --tlscert --tlskey --tlsverify".split(" ");
}

/** docker's flags of a command that is here, too, long and short. */
export function unsupportedFlags(command: string): readonly string[] {
  switch (command) {
    case "run":
      return unsupportedRunFlags();
    case "net ls":
      return ["--filter", "-f"];
    case "net inspect":
      return ["--verbose", "-v"];
    case "completion":
      return ["--no-descriptions"];
    default:
      return [];
  }
}

/** Deprecated and Windows' ones included. */
function unsupportedRunFlags(): readonly string[] {
  return ("--annotation --attach -a --blkio-weight --blkio-weight-device --cgroup-parent --cgroupns --cidfile " +
    "--cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime --cpu-shares -c " +
    "--cpuset-cpus --cpuset-mems --detach -d --detach-keys --device --device-cgroup-rule --device-read-bps " +
    "--device-read-iops --device-write-bps --device-write-iops --disable-content-trust --domainname --expose --gpus " +
    "--health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout " +
    "--io-maxbandwidth --io-maxiops --ip6 --ipc --isolation --kernel-memory --label-file --link --link-local-ip " +
    "--log-driver --log-opt --memory-reservation --memory-swap --memory-swappiness --net-alias --network-alias " +
    "--no-healthcheck --oom-kill-disable --oom-score-adj --pid --platform --publish -p --publish-all -P --pull --quiet " +
    "-q --restart --runtime --sig-proxy --stop-signal --stop-timeout --storage-opt --use-api-socket --userns --uts " +
    "--volume-driver --volumes-from").split(" ");
}
