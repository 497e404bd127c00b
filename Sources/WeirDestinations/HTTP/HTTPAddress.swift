import NIOCore
import WeirSettings

/// An `http://` or `https://` URL of a receiver, checked: no user and password in it (they would end up in messages),
/// no fragment, nothing but printable ASCII.
package struct HTTPAddress: Sendable, Hashable, CustomStringConvertible {
    package var isSecure: Bool
    package var host: String
    package var port: Int?
    /// Path and query, beginning with `/`.
    package var target: String

    /// What is wrong with a URL.
    package struct Mistake: Error, Sendable, Hashable {
        /// Continues "`url` …".
        package var complaint: String
    }

    package init(_ text: String) throws(Mistake) {
        guard text.utf8.count <= 4_096, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !text.utf8.contains(0x5C)
        else {
            throw Mistake(complaint: "must be printable ASCII without spaces; encode the rest as %XX")
        }
        let rest: Substring
        if text.lowercased().hasPrefix("http://") {
            (isSecure, rest) = (false, text.dropFirst(7))
        } else if text.lowercased().hasPrefix("https://") {
            (isSecure, rest) = (true, text.dropFirst(8))
        } else {
            throw Mistake(complaint: "must begin with `http://` or `https://`")
        }
        let end = rest.firstIndex(where: { $0 == "/" || $0 == "?" || $0 == "#" }) ?? rest.endIndex
        let authority = rest[..<end]
        if authority.contains("@") {
            throw Mistake(complaint: "must not hold a user or password: they would show in messages; use `auth`")
        }
        if rest[end...].contains("#") { throw Mistake(complaint: "must not have a `#` part") }
        (host, port) = try HTTPAddress.hostAndPort(String(authority))
        let tail = String(rest[end...])
        target = tail.isEmpty ? "/" : tail.hasPrefix("/") ? tail : "/" + tail
    }

    private static func hostAndPort(_ authority: String) throws(Mistake) -> (String, Int?) {
        // A port that is only implied is made up for the check.
        let hasPort = authority.last != "]" && authority.contains(":")
        guard let address = NetworkAddress(hasPort ? authority : authority + ":80"),
            address.host.utf8.allSatisfy({
                ($0 >= 0x30 && $0 <= 0x3A) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == 0x2D || $0 == 0x2E
                    || $0 == 0x5F
            })
        else { throw Mistake(complaint: "must name a host, such as `http://10.0.0.5:8080/in`") }
        return (address.host, hasPort ? address.port : nil)
    }

    /// True where the URL has no path of its own.
    package var isBare: Bool { target == "/" }

    package func with(target: String) -> HTTPAddress {
        var copy = self
        copy.target = target
        return copy
    }

    package var description: String {
        (isSecure ? "https://" : "http://") + NetworkAddress.bracketed(host) + (port.map { ":\($0)" } ?? "") + target
    }

    /// Who it is, for sentences: without the query, which may carry a token.
    package var name: String {
        var copy = self
        copy.target = String(target.prefix(while: { $0 != "?" }))
        return copy.description
    }

    /// For `check:` of a field.
    static let isURL: @Sendable (String) -> String? = { text in
        if text.isEmpty { return nil }
        do throws(Mistake) {
            _ = try HTTPAddress(text)
            return nil
        } catch {
            return error.complaint
        }
    }
}
