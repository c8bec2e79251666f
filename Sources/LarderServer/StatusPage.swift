// The status page: one HTML file that asks for nothing but `/status.json`, put together from its frame
// (here), its looks (StatusPageStyle.swift) and its scripts (StatusPageGraphs.swift, StatusPageClasses.swift,
// StatusPageScript.swift). Kept as text in the program, so that one file is all there is to install.

enum StatusPage {
    /// `nonce`: the word by which the browser knows the styles and scripts that are ours.
    static func html(nonce: String) -> String {
        head + "<style nonce=\"\(nonce)\">\n" + style + "</style>\n</head>\n" + body
            + "<script nonce=\"\(nonce)\">\n\"use strict\";\n" + graphs + classes + script
            + "</script>\n</body>\n</html>\n"
    }

    /// The icon is a jar.
    private static let head = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Larder</title>
        <link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>
        <path d='M9 3h14v5H9z' fill='%23a3471a'/><path d='M10 9h12c4 2 4 5 4 8v9a3 3 0 0 1-3 3H9a3 3 0 0 1-3-3
        v-9c0-3 0-6 4-8z' fill='%23d9a441'/></svg>">

        """#

    private static let body = #"""
        <body>
        <a class="skip" href="#figures">Skip to the figures</a>
        <a class="skip" href="#memory">Skip to the classes</a>
        <header>
          <div class="brand">
            <svg class="jar" viewBox="0 0 32 32" aria-hidden="true">
              <path class="lid" d="M9 3h14v5H9z"/>
              <path class="glass" d="M10 9h12c4 2 4 5 4 8v9a3 3 0 0 1-3 3H9a3 3 0 0 1-3-3v-9c0-3 0-6 4-8z"/>
              <path class="fill" d="M6 18h20v8a3 3 0 0 1-3 3H9a3 3 0 0 1-3-3z"/>
            </svg>
            <div>
              <h1>Larder <span id="place"></span></h1>
              <p id="about">Asking the daemon …</p>
            </div>
          </div>
          <p id="health" class="pill" role="status">Waiting</p>
          <div class="controls">
            <fieldset>
              <legend class="aside">Time shown</legend>
              <label><input type="radio" name="range" value="120"><span>2 min</span></label>
              <label><input type="radio" name="range" value="600" checked><span>10 min</span></label>
              <label><input type="radio" name="range" value="3600"><span>1 h</span></label>
            </fieldset>
            <button id="pause" type="button" aria-pressed="false">Pause</button>
          </div>
        </header>
        <noscript><p class="notice">This page draws with JavaScript. The same figures are at
          <a href="/metrics">/metrics</a>.</p></noscript>
        <p id="notice" class="notice" hidden></p>
        <main>
          <h2 id="figures" class="aside" tabindex="-1">Now</h2>
          <dl id="tiles"></dl>
          <h2 class="aside">Graphs</h2>
          <p class="aside" id="hint">Arrow keys move through time, Escape returns to now.</p>
          <div id="graphs">
            <section class="card" id="classes" aria-labelledby="memory">
              <div class="cardhead">
                <h2 id="memory" tabindex="-1">Memory by class</h2>
                <span class="when"></span>
              </div>
              <div id="whole"></div>
              <p id="noclasses">No class owns memory yet: the first item stored will claim a page.</p>
              <details>
                <summary>As a table</summary>
                <div class="scroll tall" role="region" aria-labelledby="memory" tabindex="0">
                  <table>
                    <thead><tr>
                      <th scope="col">Class</th><th scope="col">Chunk</th><th scope="col">Memory</th>
                      <th scope="col">In use</th><th scope="col">Items</th>
                      <th scope="col">Age at eviction</th><th scope="col">Evicted/s</th>
                    </tr></thead>
                    <tbody></tbody>
                  </table>
                </div>
              </details>
            </section>
          </div>
        </main>
        <footer>
          <p><a href="/metrics">/metrics</a> for Prometheus · <a href="/healthz">/healthz</a> ·
            <a href="/status.json">/status.json</a></p>
        </footer>
        <p id="spoken" class="aside" aria-live="polite"></p>

        """#
}
