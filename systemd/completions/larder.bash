# Completion for larder in bash. The words stand here as larder --help has them; a test compares the two.
_larder() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local words="maxconns_fast idle_timeout= max_items= default_ttl= slab_sizes= slab_automove= slab_reassign
        lru_crawler track_sizes drop_privileges no_drop_privileges watcher_logbuf_size= worker_logbuf_size=
        no_modern ssl_chain_cert= ssl_key=
        ssl_keyformat= ssl_verify_mode= ssl_ca_cert= ssl_ciphers= ssl_min_version= ssl_session_cache
        ssl_kernel_tls ssl_wbuf_size= hashpower= no_hashexpand hash_algorithm= slab_automove_ratio=
        slab_automove_window= slab_chunk_max= no_chunked_items lru_crawler_sleep= lru_crawler_tocrawl=
        lru_maintainer no_lru_maintainer hot_lru_pct= warm_lru_pct= hot_max_factor= warm_max_factor=
        temporary_ttl= tail_repair_time= read_buf_mem_limit= resp_obj_mem_limit= inline_ascii_resp
        no_inline_ascii_resp relaxed_privileges modern"
    local options="-p -U -l -s -a -Y -c -b -R -B -Z -m -M -I -f -n -L -C -F -X -W -A -D -t -d -P -u -k -r -v -h -V -i
        -o --port --udp-port --listen --unix-socket --unix-mask --auth-file --conn-limit --listen-backlog
        --max-reqs-per-event --http --protocol --enable-ssl --memory-limit --disable-evictions
        --max-item-size --slab-growth-factor --slab-min-size --enable-largepages --disable-cas
        --disable-flush-all --disable-dumping --disable-watch --enable-shutdown --threads --daemon --pidfile
        --user --lock-memory --enable-coredumps --verbose --help --version --license --extended --health"
    if [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == top ]]; then
        options="-d --delay -n --count -b --batch -w --view -s --sort -Y --auth-file -h --help"
        case $prev in
            -w | --view) COMPREPLY=($(compgen -W "daemons classes clients" -- "$cur")) ;;
            -Y | --auth-file) COMPREPLY=($(compgen -f -- "$cur")) ;;
            *) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
        esac
        return
    fi
    case $prev in
        -o | --extended)
            local before=${cur%"${cur##*,}"}
            COMPREPLY=($(compgen -P "$before" -W "$words" -- "${cur##*,}"))
            [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
            ;;
        -u | --user) COMPREPLY=($(compgen -u -- "$cur")) ;;
        -s | -P | -Y) COMPREPLY=($(compgen -f -- "$cur")) ;;
        -B | --protocol) COMPREPLY=($(compgen -W "auto ascii" -- "$cur")) ;;
        *)
            [[ $COMP_CWORD -eq 1 ]] && options="top $options"
            COMPREPLY=($(compgen -W "$options" -- "$cur"))
            ;;
    esac
}
complete -F _larder larder
