# Completion for larder in fish. The words stand here as larder --help has them; a test compares the two.
complete -c larder -f
complete -c larder -n __fish_is_first_arg -a top -d 'watch daemons'
complete -c larder -n __fish_is_first_arg -l health -d 'exit with 0 if the daemon there answers'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s p -l port -r -d 'TCP port'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s U -l udp-port -r -d 'UDP port'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s l -l listen -r -d 'address[:port] to listen on, a comma list, may be repeated'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s s -l unix-socket -r -F -d 'unix socket to listen on, instead of the network'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s a -l unix-mask -r -d 'its access mode, octal'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s Y -l auth-file -r -F -d 'let in only who gives a password of this file, lines user:password'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s c -l conn-limit -r -d 'connections at a time'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s b -l listen-backlog -r -d 'connections waiting to be accepted'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s R -l max-reqs-per-event -r -d 'requests of one connection answered before others are served'
complete -c larder -n 'not __fish_seen_subcommand_from top' -l http -r -d '[address:]port of a status page and /metrics for Prometheus'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s B -l protocol -r -d 'auto or ascii: both serve the text protocols'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s Z -l enable-ssl -d 'speak TLS on every TCP address but those that -l marks: notls: plain text, mtls: a client\'s certificate required, btls: none asked for'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s m -l memory-limit -r -d 'memory for items and their index, mebibytes'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s M -l disable-evictions -d 'when full, refuse new items instead of evicting old ones'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s I -l max-item-size -r -d 'largest item: bytes, or with k or m'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s f -l slab-growth-factor -r -d 'growth of chunk sizes from class to class'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s n -l slab-min-size -r -d 'room for key, value and flags in the smallest class'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s L -l enable-largepages -d 'ask the kernel for huge pages'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s C -l disable-cas -d 'no cas numbers'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s F -l disable-flush-all -d 'refuse flush_all'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s X -l disable-dumping -d 'refuse stats cachedump, stats detail, lru_crawler metadump and mgdump'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s W -l disable-watch -d 'refuse watch'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s A -l enable-shutdown -d 'allow the shutdown command, to everybody who can connect'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s D -r -d 'delimiter of key prefixes, and count per prefix from the start'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s t -l threads -r -d 'worker threads'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s d -l daemon -d 'go to the background once it serves'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s P -l pidfile -r -F -d 'write the process id there while it serves'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s u -l user -r -a '(__fish_complete_users)' -d 'run as that user'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s k -l lock-memory -d 'keep all memory out of swap'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s r -l enable-coredumps -d 'write a core file after a crash'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s v -l verbose -d 'log more: what happens to the daemon'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s h -l help -d 'this text'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s V -l version -d 'the version'
complete -c larder -n 'not __fish_seen_subcommand_from top' -s i -l license -d 'the licence'
set -l words \
    maxconns_fast idle_timeout= max_items= default_ttl= slab_sizes= slab_automove= slab_reassign \
    lru_crawler track_sizes drop_privileges no_drop_privileges watcher_logbuf_size= worker_logbuf_size= no_modern ssl_chain_cert= ssl_key= \
    ssl_keyformat= ssl_verify_mode= ssl_ca_cert= ssl_ciphers= ssl_min_version= ssl_session_cache \
    ssl_kernel_tls ssl_wbuf_size= hashpower= no_hashexpand hash_algorithm= slab_automove_ratio= \
    slab_automove_window= slab_chunk_max= no_chunked_items lru_crawler_sleep= lru_crawler_tocrawl= \
    lru_maintainer no_lru_maintainer hot_lru_pct= warm_lru_pct= hot_max_factor= warm_max_factor= \
    temporary_ttl= tail_repair_time= read_buf_mem_limit= resp_obj_mem_limit= inline_ascii_resp \
    no_inline_ascii_resp relaxed_privileges modern
complete -c larder -n 'not __fish_seen_subcommand_from top' -s o -l extended -x -a '(__fish_append , '"$words"')' -d 'extended options'
