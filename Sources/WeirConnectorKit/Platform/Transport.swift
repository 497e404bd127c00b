internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import WeirGates
internal import WeirWorld

/// One request after another over HTTP. Tests put another one in its place.
struct Transport: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: ByteBuffer
    }

    /// Sends the body of a POST to `/graphql`.
    var post: @Sendable (_ body: ByteBuffer, _ limit: Duration) async throws(PlatformFailure) -> Answer

    /// One for the process, as `HTTPClient.shared` is. That one tries to connect until a request's time is up, in
    /// silence; here a refused connection is told at once, and `Patience` tries again and says so.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Longer answers are refused; none of the operations has one.
    private static let answerMost = 64 << 20

    static func live(_ configuration: ConnectorConfiguration) throws(ConfigurationError) -> Transport {
        let address = configuration.url + "/graphql"
        var headers = HTTPHeaders([
            ("Authorization", "Bearer \(configuration.token)"), ("Content-Type", "application/json"),
            ("User-Agent", "WeirConnectorKit"),
        ])
        for header in configuration.customHeaders { headers.replaceOrAdd(name: header.name, value: header.value) }
        let tls = try Trust.configuration(configuration.trustFile, variable: "OPENCTI_SSL_VERIFY")
        return Transport { [headers] body, limit throws(PlatformFailure) in
            var request = HTTPClientRequest(url: address)
            request.method = .POST
            request.headers = headers
            request.tlsConfiguration = tls
            request.body = .bytes(body)
            do {
                let response = try await client.execute(
                    request, timeout: .nanoseconds(limit.nanoseconds), logger: nil)
                let answer = try await response.body.collect(upTo: answerMost)
                return Answer(status: Int(response.status.code), body: answer)
            } catch {
                throw PlatformFailure(
                    .unreachable,
                    "The platform at \(configuration.url) does not answer: \(error). Is OPENCTI_URL right?")
            }
        }
    }
}

/// Whose certificates are trusted.
enum Trust {
    /// - Parameter file: PEM; trusted besides what the machine trusts.
    /// - Returns: `nil` when there is nothing special about it.
    static func configuration(_ file: String?, variable: String) throws(ConfigurationError) -> TLSConfiguration? {
        guard let file else { return nil }
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(file)
            guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.additionalTrustRoots = [.certificates(certificates)]
            return configuration
        } catch {
            throw unusable(variable, file, "in which there are no certificates")
        }
    }

    /// Towards the broker, with a certificate of our own where there is one.
    static func configuration(_ broker: BrokerOverrides) throws(ConfigurationError) -> TLSConfiguration? {
        let trust = try configuration(broker.trustFile, variable: "MQ_USE_SSL_CA")
        guard let file = broker.certificateFile, let key = broker.keyFile else { return trust }
        var configuration = trust ?? .makeClientConfiguration()
        do {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
        } catch {
            throw unusable("MQ_USE_SSL_CERT", file, "in which there are no certificates")
        }
        do {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            // Finds a key that does not belong to the certificate.
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw unusable("MQ_USE_SSL_KEY", key, "which is not the key of MQ_USE_SSL_CERT, without a passphrase")
        }
        return configuration
    }

    private static func unusable(_ variable: String, _ file: String, _ what: String) -> ConfigurationError {
        ConfigurationError([
            .init(
                message: "\(variable) names `\(file.clipped)`, \(what)", place: nil,
                help: "write the path of a PEM file")
        ])
    }
}
