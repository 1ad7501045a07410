// Reads a Détente server in Go: a release, a list with a filter, and an error.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	detente "example.org/detente/detente/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func main() {
	conn, err := grpc.Dial(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	releases := detente.NewReleaseServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	release, err := releases.GetRelease(ctx, &detente.GetReleaseRequest{Name: "releases/by-2025-12-13"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(release.DisplayName, release.Headcount.GetBest())

	request := &detente.ListReleasesRequest{Filter: `possibly(effective_date, "2025-12")`, PageSize: 2}
	for {
		page, err := releases.ListReleases(ctx, request)
		if err != nil {
			log.Fatal(err)
		}
		for _, release := range page.Releases {
			fmt.Println(release.Name)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			break
		}
	}

	_, err = releases.GetRelease(ctx, &detente.GetReleaseRequest{Name: "releases/none"})
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println(status.Code(err), info.Reason, info.Metadata["name"])
		}
	}
}
