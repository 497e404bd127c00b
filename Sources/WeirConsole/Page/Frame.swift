/// What all pages share: head, header, the one `main`.
struct Frame: Sendable {
    var title: String
    /// Changes when gates, sources or receivers come and go; a page that shows another one loads itself anew.
    var structure: String
    var place: Place
    /// The stream that keeps this page up to date.
    var live = "/live"
    /// False where a person is about to decide: without scripts the page must not go away under them.
    var refreshes = true

    /// Which entry of the navigation is this page's own.
    enum Place: Sendable {
        case overview, connectors, tunnels, identity, reviews, history, other
    }

    func markup(@MarkupBuilder _ content: () -> Markup) -> Markup {
        tag("html", ["lang": "en"]) {
            tag("head") {
                tag("meta", ["charset": "utf-8"])
                tag("meta", ["name": "viewport", "content": "width=device-width,initial-scale=1"])
                tag("title") { "\(title) · Weir" }
                tag("link", ["rel": "stylesheet", "href": "/console.css"])
                tag("link", ["rel": "icon", "href": "/icon.svg", "type": "image/svg+xml"])
                tag("script", ["type": "module", "src": "/console.js"])
                if refreshes { tag("noscript") { tag("meta", ["http-equiv": "refresh", "content": "5"]) } }
            }
            tag("body", ["data-structure": structure, "data-live": live]) {
                tag("a", ["class": "skip", "href": "#main"]) { "Skip to content" }
                tag("header") {
                    tag("a", ["class": "brand", "href": "/"]) {
                        Icon.weir
                        "Weir"
                    }
                    tag("nav", ["aria-label": "Main"]) {
                        entry("/", "Overview", isHere: place == .overview)
                        entry("/connectors", "Connectors", isHere: place == .connectors)
                        entry("/tunnels", "Tunnels", isHere: place == .tunnels)
                        entry("/identity", "Identity", isHere: place == .identity)
                        entry("/reviews", "Reviews", isHere: place == .reviews)
                        entry("/history", "History", isHere: place == .history)
                        tag("a", ["href": "/metrics"]) { "Metrics" }
                        tag("a", ["href": "/api/v1/openapi.json"]) { "API" }
                    }
                    tag("span", ["class": "space"])
                    if refreshes { tag("noscript") { tag("span", ["class": "live"]) { "loads again every 5 s" } } }
                    tag("span", ["class": "live", "id": "live", "role": "status"])
                }
                tag("main", ["id": "main"], content)
            }
        }
    }

    private func entry(_ path: String, _ name: String, isHere: Bool) -> Markup {
        isHere
            ? tag("a", ["href": path, "aria-current": "page"]) { name } : tag("a", ["href": path]) { name }
    }
}

enum Icon {
    /// Water over a step.
    static let weir = Markup(
        constant: """
            <svg class="logo" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path \
            d="M2 7h9c3 0 3 9 6 9h5M2 12h7M2 17h7" \
            fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/></svg>
            """)

    static let file: StaticString = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path \
        d="M2 7h9c3 0 3 9 6 9h5M2 12h7M2 17h7" fill="none" \
        stroke="#0b57d0" stroke-width="2.6" stroke-linecap="round"/></svg>
        """

    /// A state's shape and word, in its colours.
    static func chip(_ face: StateFace, id: String) -> Markup {
        tag("span", ["class": "st \(face.tone)", "id": "chip:\(id)"]) {
            tag("svg", ["viewBox": "0 0 12 12", "width": "12", "height": "12", "aria-hidden": "true"]) {
                tag("path", ["d": face.path, "fill-rule": "evenodd", "fill": "currentColor", "id": "icon:\(id)"])
            }
            tag("span", ["id": "word:\(id)"]) { face.word }
        }
    }
}
