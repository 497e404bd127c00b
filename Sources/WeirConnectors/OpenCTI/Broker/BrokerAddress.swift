import Foundation

/// Where a RabbitMQ is and who we are there: `amqp://user:password@host:5672/vhost`, `amqps://…` with TLS.
///
/// After RabbitMQ's URI specification: user, password and vhost are percent-encoded; without a vhost, or with an empty
/// one, it is `/`.
package struct BrokerAddress: Sendable, Hashable, CustomStringConvertible {
    package var usesTLS = false
    package var host = "127.0.0.1"
    /// 5672, with TLS 5671, unless set.
    package var port = 5672
    package var vhost = "/"
    /// RabbitMQ's `guest` unless set; it comes in over loopback only.
    package var user = "guest"
    package var password = "guest"
    /// It was written in the URL.
    package var hasPassword = false

    package init() {}

    package struct Mistake: Error, Sendable, Hashable {
        package var message: String
    }

    package init(_ text: String) throws(Mistake) {
        // Swift's URLs decode an encoded slash in a path; it means something here.
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["amqp", "amqps"].contains(scheme)
        else { throw Mistake(message: "must begin with `amqp://` or `amqps://`") }
        guard let host = parts.host, !host.isEmpty else { throw Mistake(message: "names no host") }
        guard parts.query == nil, parts.fragment == nil else {
            throw Mistake(message: "has a query, which means nothing here")
        }
        usesTLS = scheme == "amqps"
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? Self.port(usesTLS: usesTLS)
        guard (1...65_535).contains(port) else { throw Mistake(message: "has a port that is none") }
        user = parts.user ?? user
        password = parts.password ?? (parts.user == nil ? password : "")
        hasPassword = parts.password != nil
        let path = parts.percentEncodedPath.dropFirst()
        guard !path.contains("/"), let vhost = String(path).removingPercentEncoding else {
            throw Mistake(message: "has more than a vhost behind the host; write a slash in its name as %2F")
        }
        if !vhost.isEmpty { self.vhost = vhost }
    }

    /// RabbitMQ's own.
    package static func port(usesTLS: Bool) -> Int { usesTLS ? 5671 : 5672 }

    /// Without the password.
    package var description: String {
        let host = host.contains(":") ? "[\(host)]" : host
        let vhost = vhost.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.subtracting(["/"])) ?? ""
        return "\(usesTLS ? "amqps" : "amqp")://\(user)@\(host):\(port)/\(vhost)"
    }

    /// Where its management API is unless somebody says otherwise.
    package var management: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return usesTLS ? "https://\(host):15671" : "http://\(host):15672"
    }
}
