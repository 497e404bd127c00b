import Foundation

/// Where a connector fetches from: a URL whose parameters can be set, or a file.
struct FeedAddress: Sendable, Hashable {
    /// The path, for `file:`.
    let file: String?
    private var parts: URLComponents

    /// For `check:` of a field that takes files too.
    static func complaint(_ text: String) -> String? {
        if text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) && !text.hasPrefix("file:") {
            return "must not hold spaces; encode them as %20"
        }
        guard FeedAddress(text) != nil else {
            return "must be a URL that begins with `http://` or `https://`, or `file:` and a path"
        }
        let parts = URLComponents(string: text)
        return parts?.user != nil || parts?.password != nil
            ? "must not hold a user or password: they would show in messages; use `auth`" : nil
    }

    /// For `check:` of a field.
    static func urlComplaint(_ text: String) -> String? {
        text.hasPrefix("file:") ? "must be a URL that begins with `http://` or `https://`" : complaint(text)
    }

    init?(_ text: String) {
        if text.hasPrefix("file:") {
            let path = String(text.dropFirst(5))
            // `file:///a` and `file:a`; other hosts have no meaning.
            file = path.hasPrefix("///") ? String(path.dropFirst(2)) : path
            parts = URLComponents()
            if path.isEmpty || (path.hasPrefix("//") && !path.hasPrefix("///")) { return nil }
            return
        }
        file = nil
        guard text.utf8.count <= 8_192, let parts = URLComponents(string: text),
            ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false
        else { return nil }
        self.parts = parts
        self.parts.fragment = nil
    }

    var isSecure: Bool { parts.scheme?.lowercased() == "https" }
    var path: String { parts.path }

    var text: String { parts.string ?? "" }

    /// For sentences: without parameters, which may hold a key.
    var name: String {
        if let file { return file }
        var copy = parts
        copy.query = nil
        return copy.string ?? ""
    }

    mutating func set(_ name: String, _ value: String) {
        var items = (parts.percentEncodedQueryItems ?? []).filter { $0.name != Self.encoded(name) }
        items.append(URLQueryItem(name: Self.encoded(name), value: Self.encoded(value)))
        parts.percentEncodedQueryItems = items
    }

    /// Everything but what RFC 3986 leaves alone: a `+` must not become a space, nor a `&` the next parameter.
    static func encoded(_ text: String) -> String {
        let safe = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: safe) ?? ""
    }

    /// Another page, as an answer says it: absolute or relative.
    func following(_ link: String) -> FeedAddress? {
        guard let base = parts.url, let url = URL(string: link, relativeTo: base) else { return nil }
        return FeedAddress(url.absoluteString)
    }

    /// What lies beneath this address, whether it ends with a slash or not.
    func appending(_ path: String) -> FeedAddress {
        var copy = self
        let base = parts.percentEncodedPath
        copy.parts.percentEncodedPath = (base.hasSuffix("/") ? base : base + "/") + path
        copy.parts.query = nil
        return copy
    }

    /// Whether credentials for this address may go to the other.
    func hasSameOrigin(as other: FeedAddress) -> Bool {
        parts.scheme?.lowercased() == other.parts.scheme?.lowercased()
            && parts.host?.lowercased() == other.parts.host?.lowercased() && port == other.port
    }

    private var port: Int { parts.port ?? (parts.scheme?.lowercased() == "https" ? 443 : 80) }
}
