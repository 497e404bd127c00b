// swift-tools-version: 6.2
// The floor plan of Weir, from the ground to the roof. A room imports only what stands below it (docs/design/rooms.md);
// Tests/WeirHouseTests refuses any other arrow.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

extension Target.Dependency {
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioTLS = product(name: "NIOTLS", package: "swift-nio")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioFoundation = product(name: "NIOFoundationCompat", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let nioWebSocket = product(name: "NIOWebSocket", package: "swift-nio")
    static let nioExtras = product(name: "NIOExtras", package: "swift-nio-extras")
    static let collections = product(name: "DequeModule", package: "swift-collections")
    static let logging = product(name: "Logging", package: "swift-log")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let httpClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let lifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let signals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let x509 = product(name: "X509", package: "swift-certificates")
    static let asn1 = product(name: "SwiftASN1", package: "swift-asn1")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let jwt = product(name: "JWTKit", package: "jwt-kit")
    static let yams = product(name: "Yams", package: "Yams")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let sqlite = product(name: "GRDBSQLite", package: "GRDB.swift")
    static let arguments = product(name: "ArgumentParser", package: "swift-argument-parser")
}

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"]),
        .library(name: "WeirConnectorKit", targets: ["WeirConnectorKit"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: [
        // Garden: C shims, a header each.
        .target(name: "CWeirSystem"),
        .target(name: "CWeirJSON"),
        .target(name: "CWeirRegex", dependencies: ["CRe2"]),
        .systemLibrary(name: "CRe2", pkgConfig: "re2", providers: [.apt(["libre2-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLz4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLdap", pkgConfig: "ldap", providers: [.apt(["libldap-dev"])]),
        .systemLibrary(name: "CPq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CWeirMail", dependencies: ["CCurl"]),

        // Ground: thinking.
        room("WeirWorld", ["CWeirSystem", .logging]),
        room("WeirGates", ["WeirWorld"]),
        room("WeirSettings", ["WeirGates"]),

        // First floor: what moves, what is kept, what is spoken.
        room("WeirFlow", ["WeirWorld", "WeirGates", "CWeirSystem", .nioCore]),
        room("WeirExpressions", ["WeirWorld", "CWeirJSON", "CWeirRegex"]),
        room("WeirStore", ["WeirWorld", "WeirGates", "CWeirSystem", "CLz4", "CZstd", .nioCore, .logging, .grdb]),
        room("WeirWires", ["WeirWorld", "CWeirSystem", "CZlib", "CZstd", .nioCore]),
        room("WeirCalls", ["WeirGates", "WeirSettings", .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .httpClient]),
        room("WeirDirectory", ["WeirWorld", "WeirGates", "CLdap", "CWeirSystem", .logging, .collections]),

        // Second floor: the way.
        room(
            "WeirDelivery",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", .nioCore,
                .collections,
                .logging,
            ]),

        // Third floor: the rooms of the product; none imports another.
        room(
            "WeirSources",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirWires", "WeirDelivery", "CWeirSystem",
                .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .nioTLS, .nioExtras, .hummingbird, .hummingbirdCore,
                .hummingbirdTLS,
                .logging, .collections,
            ]),
        room(
            "WeirDestinations",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirWires", "WeirCalls",
                "WeirDelivery", "CWeirSystem", .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .nioTLS, .httpClient, .logging,
                .collections,
            ]),

        room(
            "WeirConnectors",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
                "WeirCalls",
                "CWeirSystem", .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .httpClient, .logging, .collections,
            ]),

        room(
            "WeirTunnel",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirExpressions", "WeirStore", "WeirWires", "WeirCalls",
                "CWeirSystem",
                .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .nioTLS, .nioWebSocket, .httpClient, .x509, .asn1, .crypto,
                .jwt, .logging, .collections,
            ]),

        room(
            "WeirIdentity",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirExpressions", "WeirStore", "WeirWires", "WeirCalls",
                "WeirDirectory", "CWeirSystem", "CWeirMail", "CPq",
                .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .httpClient, .crypto, .grdb, .sqlite, .logging, .collections,
            ]),

        // Fourth floor: putting it together.
        room(
            "WeirNode",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
                "WeirCalls",
                "WeirDelivery", "WeirSources", "WeirDestinations", "WeirConnectors", "WeirTunnel", "WeirIdentity",
                "WeirDirectory", .nioCore, .nioPosix, .lifecycle, .signals,
                .httpClient, .yams, .logging,
            ]),
        room(
            "WeirConsole",
            [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirStore", "WeirWires", "WeirDelivery",
                "WeirTunnel", "WeirIdentity", "WeirDirectory",
                "WeirNode", .crypto, .hummingbird, .hummingbirdCore, .lifecycle, .logging, .nioCore, .nioHTTP1,
            ]),
        room(
            "WeirDemo",
            [
                "WeirWorld", "WeirGates", "WeirNode", .hummingbird, .lifecycle, .logging, .nioCore, .nioPosix,
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ]),

        // Roof: the command line, one file a subcommand, no logic.
        .executableTarget(
            name: "weir",
            dependencies: [
                "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
                "WeirDelivery", "WeirSources", "WeirDestinations", "WeirNode", "WeirConsole", "WeirDemo",
                "CWeirSystem", .arguments, .lifecycle, .logging, .nioCore, .nioPosix, .httpClient,
            ],
            swiftSettings: strict),

        // Garden: what a third party writes connectors with, and one that was written with it.
        room(
            "WeirConnectorKit",
            [
                "WeirWorld", "WeirGates", "WeirWires", .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .httpClient, .signals,
                .yams, .collections,
            ]),
        .executableTarget(
            name: "kev-connector", dependencies: ["WeirConnectorKit"], path: "examples/kev-connector",
            exclude: ["config.yml"], swiftSettings: strict),

        // Garden: what tests stand on.
        room(
            "WeirTestKit",
            [
                "WeirWorld", "WeirGates", "WeirFlow", "WeirStore", "WeirDelivery", .nioCore, .logging, .collections,
            ]),

        // Beside the house: what `make bench` measures the scheduler and the syncs with.
        .executableTarget(
            name: "schedule-bench",
            dependencies: ["WeirConnectors", "WeirGates", "WeirTestKit", "WeirWorld", .logging],
            path: "Benchmarks/Schedule", swiftSettings: strict),
        .executableTarget(
            name: "identity-bench",
            dependencies: ["WeirIdentity", "WeirGates", "WeirWorld", .logging],
            path: "Benchmarks/Identity", swiftSettings: strict),

        tests("WeirWorldTests", ["WeirWorld", "WeirTestKit"]),
        tests("WeirGatesTests", ["WeirGates", "WeirWorld", "WeirTestKit"]),
        tests("WeirSettingsTests", ["WeirSettings", "WeirGates"]),
        tests("WeirFlowTests", ["WeirFlow", "WeirGates", "WeirWorld", "WeirTestKit", .nioCore]),
        tests("WeirExpressionsTests", ["WeirExpressions", "WeirWorld"]),
        tests(
            "WeirStoreTests", ["WeirStore", "WeirWorld", "WeirGates", "WeirTestKit", "CWeirSystem", .nioCore, .logging]),
        tests("WeirWiresTests", ["WeirWires", "WeirWorld", .nioCore]),
        tests(
            "WeirTunnelTests",
            [
                "WeirTunnel", "WeirWires", "WeirGates", "WeirSettings", "WeirExpressions", "WeirStore", "WeirWorld",
                "WeirTestKit", "CWeirSystem",
                .nioCore, .nioPosix, .nioEmbedded, .nioSSL, .nioHTTP1, .httpClient, .x509, .asn1, .crypto, .jwt,
                .logging,
            ]),
        tests(
            "WeirDeliveryTests",
            [
                "WeirDelivery", "WeirFlow", "WeirGates", "WeirSettings", "WeirStore", "WeirWorld", "WeirExpressions",
                "WeirTestKit", .nioCore, .logging,
            ]),
        tests(
            "WeirSourcesTests",
            [
                "WeirSources", "WeirFlow", "WeirGates", "WeirSettings", "WeirDelivery", "WeirWires", "WeirWorld",
                "WeirTestKit",
                .nioCore, .nioPosix, .nioEmbedded, .nioSSL, .httpClient, .logging,
            ]),
        tests(
            "WeirDestinationsTests",
            [
                "WeirDestinations", "WeirFlow", "WeirGates", "WeirSettings", "WeirDelivery", "WeirWires", "WeirCalls",
                "WeirWorld", "WeirExpressions", "WeirTestKit", .nioCore, .nioPosix, .nioEmbedded, .nioHTTP1, .nioSSL,
                .httpClient, .logging,
            ]),
        tests(
            "WeirConnectorsTests",
            [
                "WeirConnectors", "WeirFlow", "WeirGates", "WeirSettings", "WeirStore", "WeirWires", "WeirCalls",
                "WeirWorld",
                "WeirTestKit",
                .nioCore, .nioPosix, .nioEmbedded, .nioHTTP1, .httpClient, .logging,
            ]),
        tests(
            "WeirConnectorKitTests",
            [
                "WeirConnectorKit", "WeirGates", "WeirWires", "WeirWorld", "WeirTestKit", .nioCore,
            ]),
        tests(
            "WeirDirectoryTests", ["WeirDirectory", "WeirWorld", "WeirGates", "WeirTestKit", "CWeirSystem", .logging]),
        tests(
            "WeirIdentityTests",
            [
                "WeirIdentity", "WeirDirectory", "WeirExpressions", "WeirSettings", "WeirStore", "WeirGates",
                "WeirWorld", "WeirTestKit", "CWeirSystem", .nioCore, .nioPosix, .nioEmbedded, .httpClient, .crypto,
                .grdb, .logging,
            ]),
        tests(
            "WeirNodeTests",
            [
                "WeirConnectors", "WeirDestinations", "WeirSources", .httpClient, .nioCore, .nioPosix, .logging,
                "WeirNode", "WeirSettings", "WeirGates", "WeirWorld", "WeirDelivery", "WeirExpressions", "WeirFlow",
                "WeirTestKit",
            ]),
        tests(
            "WeirConsoleTests",
            [
                "WeirConsole", "WeirNode", "WeirTunnel", "WeirIdentity", "WeirDirectory", "WeirGates", "WeirWorld",
                "WeirFlow", "WeirDelivery", "WeirTestKit",
                .hummingbird, .nioCore, .nioEmbedded, .nioHTTP1,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        tests(
            "WeirSimulation",
            [
                "WeirConnectors", "WeirDelivery", "WeirExpressions", "WeirFlow", "WeirGates", "WeirSettings",
                "WeirStore",
                "WeirWorld", "WeirTestKit", .nioCore, .logging,
            ]),
        tests("WeirHouseTests", []),
    ],
    cxxLanguageStandard: .cxx17
)
