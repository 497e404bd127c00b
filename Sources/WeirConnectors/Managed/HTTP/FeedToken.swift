import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import WeirCalls
import WeirExpressions
import WeirSettings
import WeirWorld

/// The token of OAuth 2.0 client credentials (RFC 6749 section 4.4): fetched when it is needed, kept until shortly
/// before it expires.
actor FeedToken {
    static let answerMost = 64 << 10
    /// A token is given up so long before its end.
    private static let margin = Duration.seconds(30)

    private let settings: FeedAuthSettings.OAuth2
    private var token: String?
    private var end: Moment?

    init(_ settings: FeedAuthSettings.OAuth2) { self.settings = settings }

    /// - Parameter fetch: makes the request.
    func value(
        at now: Moment, _ fetch: @Sendable (FeedAuthSettings.OAuth2) async throws -> ByteBuffer
    ) async throws -> String {
        if let token, end.map({ now < $0 }) ?? true { return token }
        let answer = try await fetch(settings)
        guard case .map(let map)? = answer.withUnsafeReadableBytes({ Value(json: $0) }),
            case .string(let text)? = map["access_token"], !text.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw RunFailure("no_token", "\(settings.tokenURL) answered 200, but without an `access_token` in JSON.")
        }
        token = text
        end = Self.seconds(map["expires_in"]).map { now + .seconds(min($0, 31_536_000)) - Self.margin }
        return text
    }

    /// The server did not take it.
    func forget() { token = nil }

    private static func seconds(_ value: Value?) -> Int64? {
        switch value {
        case .int(let seconds): seconds
        // Some write it as text.
        case .string(let text): Int64(text)
        default: nil
        }
    }

    nonisolated func request(_ settings: FeedAuthSettings.OAuth2) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: settings.tokenURL)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "Accept", value: "application/json")
        // The way that every server of the standard must know (section 2.3.1): both encoded as in a form.
        var basic = HTTPAuthSettings.Basic()
        basic.user = FeedAddress.encoded(settings.clientID)
        basic.password = Secret(FeedAddress.encoded(settings.clientSecret.text))
        var auth = HTTPAuthSettings()
        auth.basic = basic
        if let value = auth.header { request.headers.add(name: "Authorization", value: value) }
        let form = [
            ("grant_type", "client_credentials"), ("scope", settings.scope), ("audience", settings.audience),
        ]
        let body = form.filter { !$0.1.isEmpty }.map { "\($0.0)=\(FeedAddress.encoded($0.1))" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: body))
        return request
    }
}
