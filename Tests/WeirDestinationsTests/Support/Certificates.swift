import Foundation
import NIOSSL

/// Certificates made for a test by the `openssl` command: an authority, and what it signs.
struct Certificates {
    let scratch: Scratch
    private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    var ca: String { scratch.path + "/ca.pem" }

    /// - Returns: `nil` where there is no `openssl`; says so loudly.
    static func make() throws -> Certificates? {
        guard try run("openssl", "version") == 0 else {
            print("SKIPPED: no openssl command to make certificates with")
            return nil
        }
        let certificates = Certificates(scratch: try Scratch("weir-tls"))
        guard try certificates.authority("ca") else { return nil }
        return certificates
    }

    private func openssl(_ arguments: String) throws -> Bool {
        try run("sh", "-c", "openssl " + arguments, in: scratch.path) == 0
    }

    func authority(_ name: String) throws -> Bool {
        try openssl(
            "req -x509 \(Certificates.newKey) -keyout \(name).key -out \(name).pem -days 2 -subj '/CN=\(name)'"
                + " -addext basicConstraints=critical,CA:TRUE"
        )
    }

    /// A certificate for the names (`IP:127.0.0.1,DNS:localhost`), signed by `ca`.
    func leaf(_ name: String, names: String, days: Int = 2, ca: String = "ca") throws -> Bool {
        let request = try openssl(
            "req \(Certificates.newKey) -keyout \(name).key -out \(name).csr -subj /CN=\(name)"
        )
        try Data("subjectAltName=\(names)\n".utf8).write(to: URL(fileURLWithPath: scratch.path + "/\(name).ext"))
        return try request
            && openssl(
                "x509 -req -in \(name).csr -CA \(ca).pem -CAkey \(ca).key -CAcreateserial -days \(days)"
                    + " -out \(name).pem -extfile \(name).ext"
            )
    }

    func path(_ file: String) -> String { scratch.path + "/" + file }

    /// A server that shows a certificate; `clients` asks for one of the authority's in return.
    func server(_ name: String, clients: Bool = false, most: TLSVersion? = nil) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(path(name + ".pem")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: path(name + ".key"), format: .pem)))
        configuration.maximumTLSVersion = most
        configuration.minimumTLSVersion = .tlsv1
        if clients {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .file(ca)
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
