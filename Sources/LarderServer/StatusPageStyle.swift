// The looks of the status page: light and dark, from a phone to a screen on the wall.

extension StatusPage {
    static let style = colours + frame + parts + narrow

    /// Text has a contrast of at least 4.5, lines and areas of at least 3 to what is behind them.
    private static let colours = #"""
        :root {
          --bg: #f4f1eb; --card: #fffefb; --ink: #1f1b16; --soft: #625a4f; --line: #e2dccf; --edge: #8d8374;
          --accent: #a3471a; --good: #1a6338; --goodbg: #dff0e2; --bad: #9c1c1c; --badbg: #fae1de;
          --c0: #2a6db3; --c1: #c2483a; --c2: #b0720a; --c3: #7a4ba8; --c4: #11807a; --c5: #ad3f79;
          --free: #978c7c;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --bg: #141210; --card: #1e1b18; --ink: #f3eee6; --soft: #b5ab9d; --line: #37322c; --edge: #857b6e;
            --accent: #f0a26b; --good: #93dda9; --goodbg: #1b3324; --bad: #ffb3aa; --badbg: #4a1c19;
            --c0: #6aa9ea; --c1: #f08474; --c2: #e6b24d; --c3: #b896e6; --c4: #4cc0b1; --c5: #ea8dbe;
            --free: #776d61;
          }
        }
        .c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
        .c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }

        """#

    private static let frame = #"""
        * { box-sizing: border-box; }
        html { font: 400 15px/1.45 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
        body {
          margin: 0 auto; padding: 1.2rem clamp(.75rem, 2vw, 2rem) 2rem; max-width: 150rem;
          background: var(--bg); color: var(--ink); font-variant-numeric: tabular-nums;
        }
        h1, h2, p, dl, dd, fieldset, figure { margin: 0; padding: 0; border: 0; }
        h1 { font-size: 1.5rem; line-height: 1.15; letter-spacing: -.01em; }
        h1 span { color: var(--soft); font-weight: 400; }
        h2 { font-size: 1rem; font-weight: 600; }
        a { color: var(--accent); }
        .aside {
          position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
          white-space: nowrap;
        }
        .skip { position: absolute; left: -99rem; top: .4rem; padding: .4rem .8rem; z-index: 2; }
        .skip:focus { left: .6rem; background: var(--card); }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: .3rem; }
        header {
          display: flex; flex-wrap: wrap; gap: .8rem 1.5rem; align-items: center; margin-bottom: 1.1rem;
        }
        .brand { display: flex; gap: .8rem; align-items: center; flex: 1 1 20rem; min-width: 0; }
        #about { color: var(--soft); font-size: .9rem; }
        .jar { width: 2.6rem; height: 2.6rem; flex: none; }
        .jar .lid { fill: var(--accent); } .jar .glass { fill: var(--line); } .jar .fill { fill: var(--c2); }
        .pill {
          padding: .3rem .9rem .3rem .75rem; border-radius: 2rem; font-weight: 600;
          background: var(--line); color: var(--ink);
        }
        .pill::before {
          content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .5em;
          border-radius: 50%; background: currentColor;
        }
        .pill.good { background: var(--goodbg); color: var(--good); }
        .pill.bad { background: var(--badbg); color: var(--bad); }
        .controls { display: flex; flex-wrap: wrap; gap: .6rem; }
        fieldset { display: flex; border: 1px solid var(--edge); border-radius: .5rem; overflow: hidden; }
        fieldset label { cursor: pointer; }
        fieldset input { position: absolute; opacity: 0; }
        fieldset span { display: block; padding: .35rem .8rem; }
        fieldset label + label span { border-left: 1px solid var(--edge); }
        fieldset input:checked + span { background: var(--ink); color: var(--bg); }
        fieldset input:focus-visible + span { outline: 3px solid var(--accent); outline-offset: -3px; }
        button {
          font: inherit; color: inherit; background: var(--card); cursor: pointer;
          border: 1px solid var(--edge); border-radius: .5rem; padding: .35rem .9rem;
        }
        button[aria-pressed=true] { background: var(--ink); color: var(--bg); }
        .notice {
          padding: .6rem .9rem; margin-bottom: 1rem; border-radius: .5rem;
          background: var(--badbg); color: var(--bad);
        }
        .notice.calm { background: var(--card); color: var(--ink); border: 1px solid var(--line); }
        code { font: .92em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
        footer { margin-top: 1.2rem; color: var(--soft); font-size: .9rem; }

        """#

    private static let parts = #"""
        .card, #tiles > div {
          background: var(--card); border: 1px solid var(--line); border-radius: .8rem; min-width: 0;
        }
        .card { padding: 1rem 1.1rem; }
        #tiles {
          display: grid; gap: .9rem; margin-bottom: .9rem;
          grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr));
        }
        #tiles > div { padding: .8rem 1.1rem .9rem; display: flex; flex-direction: column; }
        #tiles dt { color: var(--soft); font-size: .92rem; }
        #tiles .big { font-size: 2.15rem; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; }
        #tiles .big small { font-size: 1.05rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
        #tiles .note { color: var(--soft); font-size: .87rem; }
        .gauge {
          height: .35rem; margin-top: .5rem; border-radius: 1rem; background: var(--line); overflow: hidden;
        }
        .gauge i { display: block; height: 100%; width: 0; background: var(--c, var(--c0)); }
        #graphs {
          display: grid; gap: .9rem; margin-bottom: .9rem;
          grid-template-columns: minmax(0, 1fr);
        }
        #graphs .card { display: flex; flex-direction: column; }
        .card svg {
          display: block; width: 100%; flex: 1 0 clamp(9.5rem, 19vh, 17rem); min-height: 0;
          touch-action: pan-y;
        }
        svg .grid { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges; }
        svg text { fill: var(--soft); font-size: 12px; }
        svg .area { fill: var(--c); stroke: var(--card); stroke-width: .5; }
        svg .bar { fill: var(--c); }
        svg .under { fill: var(--c); opacity: .16; }
        svg .curve { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
        svg .hair { stroke: var(--ink); stroke-width: 1; }
        svg .dot { fill: var(--c); stroke: var(--card); stroke-width: 2; }
        .key {
          display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; margin: .35rem 0 0; padding: 0;
          font-size: .9rem; min-height: 1.45em;
        }
        .key { margin-bottom: .5rem; }
        .key li { white-space: nowrap; color: var(--soft); }
        .key b { color: var(--ink); font-weight: 600; }
        .swatch {
          display: inline-block; width: .75em; height: .75em; margin-right: .35em; border-radius: .2em;
          background: var(--c);
        }
        .cardhead {
          display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; align-items: baseline;
        }
        .cardhead .when { color: var(--soft); font-size: .87rem; white-space: nowrap; }
        details { margin-top: .4rem; font-size: .9rem; }
        summary { cursor: pointer; color: var(--soft); width: max-content; }
        table { border-collapse: collapse; width: 100%; font-size: .93rem; margin-top: .4rem; }
        th, td { text-align: right; padding: .3rem .6rem; white-space: nowrap; }
        th { font-weight: 400; color: var(--soft); }
        th:first-child, td:first-child { text-align: left; padding-left: 0; }
        tbody tr { border-top: 1px solid var(--line); }
        tbody th { color: var(--ink); font-size: inherit; }
        .scroll { overflow-x: auto; }
        .tall { max-height: 24rem; overflow-y: auto; }
        .tall thead th { position: sticky; top: 0; background: var(--card); }
        .share {
          display: flex; height: 1.1rem; border-radius: .3rem; overflow: hidden; background: var(--line);
        }
        .share i { display: block; height: 100%; background: var(--c); }
        #whole { margin-top: .5rem; }
        .used { --c: var(--c0); } .free { --c: var(--free); } .none { --c: var(--line); }
        .none > .swatch, .free > .swatch { outline: 1px solid var(--edge); }
        svg .chosen { fill: var(--ink); opacity: .12; }
        #noclasses { color: var(--soft); margin: 2rem 0; text-align: center; }
        [hidden] { display: none !important; }

        """#

    private static let narrow = #"""
        #classes { grid-column: 1 / -1; }
        @media (min-width: 760px) { #graphs { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
        @media (min-width: 1200px) { #graphs { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
        @media (min-width: 1700px) {
          html { font-size: 17px; }
          svg text { font-size: 13px; }
          #graphs { grid-template-columns: repeat(4, minmax(0, 1fr)); }
          #classes { grid-column: span 2; }
        }
        @media (min-width: 2500px) { html { font-size: 22px; } svg text { font-size: 17px; } }
        @media (max-width: 600px) {
          #tiles { grid-template-columns: 1fr 1fr; gap: .6rem; }
          #tiles > div { padding: .65rem .8rem .7rem; }
          #tiles .big { font-size: 1.6rem; }
          #tiles > div:first-child { grid-column: 1 / -1; }
          #tiles > div:first-child .big { font-size: 2.3rem; }
          .card { padding: .8rem; }
          .card svg { flex-basis: 11rem; }
          .controls { width: 100%; }
          th, td { padding: .3rem .4rem; }
        }
        @media (prefers-reduced-motion: no-preference) {
          .gauge i, .share i { transition: width .6s ease-out; }
        }
        @media (forced-colors: active) {
          .swatch, .share i, .gauge i { forced-color-adjust: none; }
        }
        @media print { .controls, .skip, footer { display: none; } }

        """#
}
